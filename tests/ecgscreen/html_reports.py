"""Runs to be reported as HTML, and the page taken apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from ecgscreen.calibration import PlattScaling
from ecgscreen.publish import JsonValue
from ecgscreen.readers.pieces import Pieces, in_memory
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason
from ecgscreen.reports import DiagnosisRow, Provenance, Report, write_reports
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.run_store import RunStore
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from engines.base import EngineInfo
from tests.ecgscreen import rows

D = 4
DIAGNOSES = (
    DiagnosisRow("normal ECG", "NORM", "info", "prompted (seen)", 0.5),
    DiagnosisRow("<b>AF</b> & flutter", "AFIB", "attention", "prompted (seen)", 0.5),
    DiagnosisRow(
        *("complete AV block", "3AVB", "critical", "zero-shot", 0.5),
        criterion="largest F1",
        platt=PlattScaling(8.0, -4.0),
    ),
    DiagnosisRow("free words", "", "info", "zero-shot"),
)
DIRECTIONS = quantise_directions(np.eye(D))
STARTED = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
PROVENANCE = Provenance(
    version="0.1.0",
    command="scan",
    arguments={},
    started=STARTED,
    ended=STARTED + timedelta(seconds=4),
    bundle_name="default",
    bundle_sha256="b" * 64,
    list_name="<night>.txt",
    list_sha256="c" * 64,
    preprocessing={},
    engine=EngineInfo("openvino", "2026.4", "CPU x", "f32", 32),
    engine_reason="the default",
    n_ignored=1_234,
)
HEART = simulate(SimulationSettings(Rhythm.ATRIAL_FIBRILLATION, sampling_rate=100.0)).recording
TWO_MINUTES = Recording(HEART.path, np.tile(HEART.signal, 12), 100.0, LEADS)

HOSTILE = (
    "</script><script>document.title='owned'</script>.hea",
    '"><img src=x onerror="document.title=\'owned\'">.hea',
    "<!--\u202egnp.hea",
    "ward 7/two\nlines\x1b[2J\u2028.hea",
    "=cmd|' /C calc'!A0.hea",
)


def scored(path: str, *windows: dict[int, float], quality: str = "good") -> RecordResult:
    """A recording whose windows have these cosines, by number of the diagnosis."""
    embeddings = np.zeros((max(len(windows), 1), D), np.float16)
    for row, cosines in enumerate(windows):
        for k, cosine in cosines.items():
            embeddings[row, k] = cosine
        # What is left of the length goes where no threshold is.
        embeddings[row, 3] = np.sqrt(max(0.0, 1 - float((embeddings[row, :3] ** 2).sum())))
    return rows.scored(
        path,
        len(windows),
        quality=quality,
        sampling_rate=100.0,
        leads=LEADS,
        notes=(),
        embeddings=embeddings,
    )


NIGHT = (
    scored("a/nothing.hea", {0: 0.1}),
    scored("b/normal.hea", {0: 0.9}),
    scored("c/af-low.hea", {1: 0.6}),
    scored("d/af-high.hea", {0: 0.55, 1: 0.8}, quality="usable: V3 flat"),
    not_scored("e/cut.hea", Status.ERROR, SkipReason.TRUNCATED, "6 of 12 bytes"),
    scored("f/block.hea", {2: 0.55}),
    scored("g/long.hea", {0: 0.1}, {2: 0.9}, {2: 0.95}, {0: 0.2}),
    *(scored(name, {1: 0.7 - 0.01 * n}) for n, name in enumerate(HOSTILE)),
)
WORST_FIRST = ("g/long.hea", "f/block.hea", "d/af-high.hea")
"""How the night's table begins."""


def read(name: str) -> Pieces | SkippedRecording:
    """The recordings of the night; one of them is not there any more."""
    if name.startswith("c/"):
        return SkippedRecording(Path(name), SkipReason.VANISHED, "it is <not> there")
    return in_memory(TWO_MINUTES if name.startswith("g/") else HEART)


def write_page(
    folder: Path,
    results: Iterable[RecordResult] = NIGHT,
    language: str = "en",
    calibration: dict[str, JsonValue] | None = None,
    diagnoses: tuple[DiagnosisRow, ...] = DIAGNOSES,
    earlier: Iterable[RecordResult] = (),
    **options: Any,
) -> Path:
    """Report a run, and return the page; `earlier` are rows that a run before it made."""
    store = RunStore.create(folder / "store", {})
    grown: dict[str, Any] = {}
    for result in earlier:
        store.append(result)
        grown = {"run": 2, "first_new": 2}
    if grown:
        store.begin({})
    for result in results:
        store.append(result)
    store.finish()
    reference = score(np.eye(D).astype(np.float16), DIRECTIONS)
    given: dict[str, Any] = {"reference_scores": reference, "read": read} | options
    report = Report(
        store=store,
        diagnoses=diagnoses,
        directions=DIRECTIONS,
        provenance=replace(PROVENANCE, calibration=calibration, **grown),
        language=language,
        **given,
    )
    write_reports(report, folder)
    return folder / "report.html"


class Page(HTMLParser):
    """A page taken apart.

    Attributes
    ----------
    tags
        Names of all elements.
    attributes
        (element, attribute, value) of all of them.
    texts
        What stands in the elements of each name, one after the other.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._open = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.texts.setdefault(tag, []).append("")
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open][-1] += data

    @property
    def content(self) -> Any:
        """What the script is given."""
        return json.loads(self.texts["script"][0])

    @property
    def names(self) -> list[str]:
        """The recordings of the table, worst first."""
        return [row[0] for row in self.content["rows"]]
