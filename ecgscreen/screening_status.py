"""Where a screening stands: what is scored, what is not and why, and what waits for the night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ecgscreen.discover import Discovery
from ecgscreen.errors import StoreError
from ecgscreen.growing import Growth
from ecgscreen.locate import is_there
from ecgscreen.lock import holder_of
from ecgscreen.objects.address import spelled
from ecgscreen.publish import JsonValue
from ecgscreen.remake import open_screening
from ecgscreen.reports import RowsOfRun
from ecgscreen.results import Status
from ecgscreen.run_store import RunStore
from ecgscreen.screening import STORE, Basis, read_basis
from ecgscreen.share import Share
from ecgscreen.stored_report import rows_of_runs


@dataclass(frozen=True)
class NotScored:
    """A recording without score.

    Attributes
    ----------
    path, status, reason, detail
        As `ecgscreen.results.RecordResult` has them.
    """

    path: str
    status: Status
    reason: str
    detail: str


@dataclass(frozen=True)
class Waiting:
    """What the next scan of the same folders would do.

    Attributes
    ----------
    new, changed
        Names of recordings that it would read.
    n_gone
        Recordings of the store that it would mark as vanished.
    missing
        Folders given to the scan that are not there: nothing is known of what lies in them.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    n_gone: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class ScreeningStatus:
    """A screening as it stands.

    Attributes
    ----------
    basis
        What it was made with.
    by_status
        Recordings of every `Status`.
    not_scored
        Those without score, in the order of the store.
    by_reason
        How many of them for which reason, commonest first.
    last_run
        As the store remembers it, see `ecgscreen.screening`.
    rows
        What each run made of what there is, oldest first.
    interrupted
        When a run began that has not ended; it may be in progress (`held_by`). Else None.
    held_by
        The process that holds the folder; empty if none does.
    waiting
        None if nobody looked.
    """

    basis: Basis
    by_status: Mapping[Status, int]
    not_scored: tuple[NotScored, ...]
    by_reason: Mapping[str, int]
    last_run: Mapping[str, Any]
    rows: tuple[RowsOfRun, ...]
    interrupted: datetime | None
    held_by: str
    waiting: Waiting | None

    @property
    def n_records(self) -> int:
        """All recordings of the store."""
        return sum(self.by_status.values())


def status_of(folder: Path, *, look: bool = True) -> ScreeningStatus:
    """Look at a screening, and at the folders that it was made of; nothing is written.

    Parameters
    ----------
    folder
        Of the screening.
    look
        Whether to walk the folders for what is new or changed. No recording is read.

    Raises
    ------
    UsageError
        If there is no screening.
    StoreError
        If its store is damaged.
    """
    try:
        return _status_of(folder, look=look)
    except StoreError:
        # A run may have ended in between, and taken the files away that were just being read.
        return _status_of(folder, look=look)


def _status_of(folder: Path, *, look: bool) -> ScreeningStatus:
    held_by = holder_of(folder)
    store = open_screening(folder)
    basis = read_basis(store)
    index = store.index
    counts = {status: index.status(status)[index.live] for status in Status}
    unscored = index.live[~counts[Status.SCORED]]
    not_scored = tuple(
        NotScored(result.path, result.status, result.reason, result.detail)
        for result in (row.result for row in store.iter_rows(unscored))
    )
    reasons = Counter(each.reason for each in not_scored)
    unfinished = RunStore.open_unfinished(folder / STORE)
    return ScreeningStatus(
        basis=basis,
        by_status={status: int(np.count_nonzero(counts[status])) for status in Status},
        not_scored=not_scored,
        by_reason=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        last_run=store.runs[-1],
        rows=rows_of_runs(store),
        interrupted=None if unfinished is None else _started(unfinished),
        held_by=held_by,
        waiting=_waiting(store, basis) if look else None,
    )


def _started(store: RunStore) -> datetime:
    return datetime.fromisoformat(str(store.runs[-1]["started_utc"]))


def _waiting(store: RunStore, basis: Basis) -> Waiting:
    missing = tuple(spelled(place) for place in basis.places if not is_there(place))
    if missing or not basis.roots:
        return Waiting((), (), 0, missing)
    growth = Growth(store, share=None if basis.share is None else Share.parse(basis.share))
    new: list[str] = []
    changed: list[str] = []
    for found in growth.to_prepare(Discovery(basis.roots, basis.working_directory, growth.known)):
        known = store.index.find(found.name)
        is_new = known is None or known.status is Status.VANISHED
        (new if is_new else changed).append(found.name)
    return Waiting(tuple(new), tuple(changed), sum(1 for _ in growth.gone()), missing)


def status_document(status: ScreeningStatus) -> dict[str, JsonValue]:
    """As ``ecgscreen status --json`` prints it."""
    basis, waiting = status.basis, status.waiting
    return {
        "n_records": status.n_records,
        "by_status": {str(key): count for key, count in status.by_status.items()},
        "by_reason": dict(status.by_reason),
        "not_scored": [
            {"path": each.path, "status": each.status, "reason": each.reason, "detail": each.detail}
            for each in status.not_scored
        ],
        "waiting": None
        if waiting is None
        else {
            "new": list(waiting.new),
            "changed": list(waiting.changed),
            "n_gone": waiting.n_gone,
            "missing_folders": list(waiting.missing),
        },
        "last_run": dict(status.last_run),
        "interrupted_run_started_utc": None
        if status.interrupted is None
        else status.interrupted.isoformat(),
        "held_by": status.held_by,
        "bundle": {"name": basis.bundle_name, "sha256": basis.bundle_sha256},
        "list": {"name": basis.list_name, "sha256": basis.list_sha256},
        "runs": [
            {
                "number": run.number,
                "started_utc": run.started.isoformat(),
                "engine": f"{run.engine.name} {run.engine.version}",
                "precision": run.engine.precision,
                "device": run.engine.device,
                "n_records": run.n_records,
                "n_scored": run.n_scored,
            }
            for run in status.rows
        ],
    }


def status_lines(status: ScreeningStatus, names: int = 10) -> Iterator[str]:
    """What a person reads, with at most so many names of each kind."""
    yield f"{status.by_status[Status.SCORED]:,} of {status.n_records:,} recordings scored"
    for reason, count in status.by_reason.items():
        yield f"  {count:,} not: {reason}"
    for each in status.not_scored[:names]:
        yield f"    {each.path}"
    if len(status.not_scored) > names:
        yield f"    and {len(status.not_scored) - names:,} more"
    yield from _waiting_lines(status.waiting, names)
    run = status.last_run
    ended = datetime.fromisoformat(run["ended_utc"])
    yield f"last run: {run['number']}, {run['command']}, ended {ended:%Y-%m-%d %H:%M %Z}"
    if status.held_by:
        yield f"a run is in progress: {status.held_by}"
    elif status.interrupted is not None:
        begun = f"{status.interrupted:%Y-%m-%d %H:%M %Z}"
        yield f"interrupted: a run that began {begun}; the next one goes on from there"
    for made in status.rows:
        engine = made.engine
        yield (
            f"  run {made.number}, {made.started:%Y-%m-%d %H:%M %Z}: {made.n_scored:,} scored by "
            f"{engine.name} {engine.version}, {engine.precision}, {engine.device}"
        )
    basis = status.basis
    yield f"bundle {basis.bundle_name}, SHA-256 {basis.bundle_sha256}"
    yield f"list {basis.list_name}, SHA-256 {basis.list_sha256}"


def _waiting_lines(waiting: Waiting | None, names: int) -> Iterator[str]:
    if waiting is None:
        return
    if waiting.missing:
        yield f"not there, what waits is unknown: {', '.join(waiting.missing)}"
        return
    yield f"waiting: {len(waiting.new):,} new, {len(waiting.changed):,} changed"
    both = (*waiting.new, *waiting.changed)
    for name in both[:names]:
        yield f"    {name}"
    if len(both) > names:
        yield f"    and {len(both) - names:,} more"
    if waiting.n_gone:
        yield f"  {waiting.n_gone:,} no longer there"
