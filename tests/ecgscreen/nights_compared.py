"""Two nights that differ in every kind of change, written as screenings to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ecgscreen.compare import Change, Kind
from ecgscreen.pseudonyms import Pseudonyms
from ecgscreen.recording import SkipReason
from ecgscreen.reports import DiagnosisRow, Report, write_reports
from ecgscreen.reports.pseudonymous import pseudonymous
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.run_store import RunStore
from ecgscreen.scoring import quantise_directions, score
from tests.ecgscreen.html_reports import DIAGNOSES, PROVENANCE, D, scored

AF = DIAGNOSES[1].name
KEY = b"k" * 32
OLD = (
    scored("a/same.hea", {1: 0.2}),
    scored("b/af.hea", {1: 0.2}),
    scored("c/cured.hea", {1: 0.8}),
    scored("d/block.hea", {2: 0.9}),
    scored("e/drift.hea", {1: 0.1}),
    scored("f/noisy.hea", {1: 0.2}, quality="good"),
    scored("g/gone.hea", {2: 0.9}),
    not_scored("h/cut.hea", Status.ERROR, SkipReason.TRUNCATED, "6 of 12 bytes"),
    scored("i/normal.hea", {0: 0.2}),
)
NEW = (
    scored("a/same.hea", {1: 0.2}),
    scored("b/af.hea", {1: 0.7}),
    scored("c/cured.hea", {1: 0.2}),
    not_scored("d/block.hea", Status.UNUSABLE, SkipReason.NO_USABLE_LEAD, "12 leads flat"),
    scored("e/drift.hea", {1: 0.4}),
    scored("f/noisy.hea", {1: 0.2}, quality="usable: V3 flat"),
    scored("h/cut.hea", {1: 0.2}),
    scored("i/normal.hea", {0: 0.9}),
    scored("j/new.hea", {2: 0.9}),
)
WORST_FIRST = {
    "j/new.hea": {Kind.APPEARED, Kind.NEWLY_FLAGGED},
    "b/af.hea": {Kind.NEWLY_FLAGGED},
    "d/block.hea": {Kind.RESULT_LOST},
    "g/gone.hea": {Kind.VANISHED},
    "e/drift.hea": {Kind.ROSE},
    "c/cured.hea": {Kind.CLEARED},
    "i/normal.hea": {Kind.NORMAL_FLAGGED},
    "f/noisy.hea": {Kind.QUALITY},
    "h/cut.hea": {Kind.RESULT_GAINED},
}


def write(
    folder: Path,
    results: Iterable[RecordResult],
    diagnoses: tuple[DiagnosisRow, ...] = DIAGNOSES[:3],
    provenance: Mapping[str, str] | None = None,
    key: bytes | None = None,
) -> Path:
    """Publish a screening of these results."""
    store = RunStore.create(folder / "store", {})
    for result in results:
        store.append(result)
    store.finish()
    directions = quantise_directions(np.eye(D)[: len(diagnoses)])
    report = Report(
        store=store,
        diagnoses=diagnoses,
        directions=directions,
        reference_scores=score(np.eye(D).astype(np.float16), directions),
        provenance=replace(PROVENANCE, **dict[str, Any](provenance or {})),
    )
    write_reports(report if key is None else pseudonymous(report, Pseudonyms(key)), folder)
    return folder


def kinds(changes: Iterable[Change]) -> dict[str, set[Kind]]:
    """The kinds of change by the name of what changed."""
    return {change.name: set(change.kinds) for change in changes}


def before_keys_were_named(report: Path) -> Path:
    """The same report as versions wrote it that did not say whose ids its are."""
    with h5py.File(report, "a") as file:
        del file.attrs["pseudonyms"]
    return report
