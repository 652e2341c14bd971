"""The reports of a screening from its run store alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ecgscreen.errors import StoreError
from ecgscreen.locate import open_shown
from ecgscreen.manifest import number_of
from ecgscreen.pseudonyms import load_pseudonyms
from ecgscreen.readers.pieces import Pieces
from ecgscreen.recording import SkippedRecording
from ecgscreen.reports import Provenance, Report, RowsOfRun
from ecgscreen.reports.pseudonymous import pseudonymous, renamed
from ecgscreen.results import RecordResult, Status
from ecgscreen.run_store import RunStore
from ecgscreen.screening import Basis, read_basis, read_scoring
from engines.base import EngineInfo

_NO_ENGINE = EngineInfo("none", "", "", "", 0)


def stored_report(
    store: RunStore, read: Callable[[str], Pieces | SkippedRecording] | None = None
) -> Report:
    """Return the report of what a store holds, from the store alone.

    Parameters
    ----------
    store
        Of a scan: as the last finished run left it, or of the run in progress.
    read
        As `Report` has it: for the strips, the one thing that needs the recordings.

    Raises
    ------
    StoreError
        If the store is damaged.
    """
    basis, scoring = read_basis(store), read_scoring(store)
    report = Report(
        store=store,
        diagnoses=scoring.diagnoses,
        directions=scoring.directions,
        reference_scores=scoring.reference_scores,
        provenance=_provenance(store, basis),
        language=basis.language,
        read=read,
    )
    return pseudonymous(report, load_pseudonyms(store.folder)) if basis.pseudonymised else report


def report_in_progress(folder: Path, provenance: Provenance) -> Report:
    """Return once more, in another process, the report of the run in progress on a store.

    Parameters
    ----------
    folder
        The store's; all its rows are on disk.
    provenance
        Of the report, since what the run knows of its end is not on disk yet.

    Raises
    ------
    StoreError
        If the store is damaged, or has no run in progress.
    """
    store = RunStore.open_unfinished(folder)
    if store is None:
        raise StoreError(f"{folder}: has no run in progress")
    report = stored_report(store, reader_of(read_basis(store)))
    return replace(report, provenance=provenance)


def shown_in_reports(store: RunStore, basis: Basis) -> Callable[[RecordResult], RecordResult]:
    """Return what gives a row the name that the screening's reports have for it."""
    if not basis.pseudonymised:
        return lambda result: result
    pseudonyms = load_pseudonyms(store.folder)
    return lambda result: renamed(result, pseudonyms)


def reader_of(basis: Basis) -> Callable[[str], Pieces | SkippedRecording]:
    """Return what opens a recording of a screening again, by its name in the reports.

    Works from any working directory, as long as the recordings are where they were.
    """
    return lambda name: open_shown(name, basis.roots, basis.working_directory)


def rows_of_runs(store: RunStore) -> tuple[RowsOfRun, ...]:
    """Return how many of a store's rows each run made, oldest first; runs without rows not.

    Raises
    ------
    StoreError
        If the store is damaged.
    """
    index = store.index
    runs = index.runs[index.live]
    scored = runs[index.status(Status.SCORED)[index.live]]
    found = []
    for run in store.runs:
        number = number_of(run)
        n_records = int(np.count_nonzero(runs == number))
        if n_records and (engine := _engine(run)) is not None:
            n_scored = int(np.count_nonzero(scored == number))
            found.append(RowsOfRun(number, _time(run, "started_utc"), engine, n_records, n_scored))
    return tuple(found)


def _provenance(store: RunStore, basis: Basis) -> Provenance:
    run: Mapping[str, Any] = store.runs[-1]
    rows = rows_of_runs(store)
    engine = _engine(run)
    rescored = engine is None
    if engine is None:
        # Of the embeddings: nothing else was computed by an engine.
        engine = max(rows, key=lambda each: each.n_scored).engine if rows else _NO_ENGINE
    return Provenance(
        version=run["version"],
        command=run["command"],
        arguments=run["arguments"],
        started=_time(run, "started_utc"),
        ended=_time(run, "ended_utc" if run["ended_utc"] else "started_utc"),
        bundle_name=basis.bundle_name,
        bundle_sha256=basis.bundle_sha256,
        list_name=basis.list_name,
        list_sha256=basis.list_sha256,
        preprocessing=basis.preprocessing,
        engine=engine,
        engine_reason=run["engine_reason"],
        n_ignored=run["n_ignored"],
        calibration=basis.calibration,
        run=number_of(run),
        rows=rows,
        rescored=rescored,
        first_new=0 if rescored else _first_new(store),
    )


def _first_new(store: RunStore) -> int:
    """The number of the run in progress, or of the first interrupted one that it goes on with."""
    first = number_of(store.runs[-1])
    for run in reversed(store.runs[:-1]):
        if run["ended_utc"] is not None:
            break
        first = number_of(run)
    return first


def _engine(run: Mapping[str, Any]) -> EngineInfo | None:
    return None if run["engine"] is None else EngineInfo(**run["engine"])


def _time(run: Mapping[str, Any], key: str) -> datetime:
    return datetime.fromisoformat(run[key])
