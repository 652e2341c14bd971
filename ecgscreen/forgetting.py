"""Recordings that have to go: out of the store, the reports, and what else the folder holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ecgscreen import __version__
from ecgscreen.locate import is_there, path_of
from ecgscreen.lock import locked
from ecgscreen.objects.address import spelled
from ecgscreen.pseudonyms import load_pseudonyms
from ecgscreen.publish import JsonValue
from ecgscreen.remake import open_screening, write_stored
from ecgscreen.reports import RunSummary
from ecgscreen.reports.csv import text_cell
from ecgscreen.results import report_text
from ecgscreen.run_store import RunStore
from ecgscreen.screening import Basis, read_basis
from ecgscreen.shown_names import shown_name

FORGOTTEN = "(forgotten)"
"""In the place of a single recording that was given to a scan as such."""


@dataclass(frozen=True)
class Forgotten:
    """What is no longer in a screening.

    Attributes
    ----------
    names
        As the reports had them.
    still_there
        Those of them whose files lie where they lay: the next scan finds them again.
    unknown
        What was asked for, and is no recording of the screening.
    summary
        The reports that are left, in numbers.
    """

    names: tuple[str, ...]
    still_there: tuple[str, ...]
    unknown: tuple[str, ...]
    summary: RunSummary


def forget(folder: Path, wanted: Sequence[str], *, wait_s: float = 0.0) -> Forgotten:
    """Take recordings out of a screening: their rows, those replaced long ago too, and reports.

    The store is written again without them and its old files are removed; then the reports are
    made anew, whatever was found, so that a crash in between is mended by the same call. What an
    interrupted run had scored goes as a whole: the next scan reads it again.

    Parameters
    ----------
    folder
        Of the screening.
    wanted
        Names as ``report.csv`` has them; record ids; or folders, ending in a slash, for all
        that lies below.
    wait_s
        How long to wait for a run that holds the folder, in seconds.

    Raises
    ------
    UsageError
        If there is no screening.
    LockedError, StoreError
        As `ecgscreen.remake.export`.
    """
    open_screening(folder)
    with locked(folder, wait_s):
        store = open_screening(folder)
        basis = read_basis(store)
        unfinished = RunStore.open_unfinished(store.folder)
        names = _matching(store, basis, wanted)
        # Of a run that was killed between its reports and its end, the reports hold more.
        in_reports = {} if unfinished is None else _matching(unfinished, basis, wanted)
        met = set().union(*names.values(), *in_reports.values())
        roots = _without_files(basis, [*names, *in_reports])
        hidden = {shown_name(spelled(root)) for root in set(basis.roots) - set(roots)}
        store.revise_runs(lambda run: _without_roots(run, hidden))
        store.begin(replace(basis, roots=roots).to_json(), _run(store, len(names)))
        for name in names:
            store.remove(name)
        store.finish()
        summary, _ = write_stored(store, folder)
    return Forgotten(
        names=tuple(names),
        still_there=tuple(name for name in names if _is_there(name, basis)),
        unknown=tuple(name for name in wanted if name not in met),
        summary=summary,
    )


def _matching(store: RunStore, basis: Basis, wanted: Sequence[str]) -> dict[str, set[str]]:
    """The recordings that are meant, each with what means it."""
    pseudonyms = load_pseudonyms(store.folder) if basis.pseudonymised else None
    exactly = set(wanted)
    folders = tuple(name for name in wanted if name.endswith("/"))
    found = {}
    for path, record_id in store.iter_names():
        shown = report_text(path)
        spellings = {path, shown, text_cell(path), record_id}
        if pseudonyms is not None:
            spellings.add(pseudonyms.of(path))
        meant_by = spellings & exactly
        if path.startswith(folders) or shown.startswith(folders):
            meant_by |= {
                name for name in folders if path.startswith(name) or shown.startswith(name)
            }
        if meant_by:
            found[path] = meant_by
    return found


def _run(store: RunStore, n: int) -> dict[str, JsonValue]:
    """What the store remembers: how many, not which. The rest is as the last scan left it."""
    now = datetime.now(UTC).isoformat()
    last = {key: value for key, value in store.runs[-1].items() if key != "number"}
    return {
        **last,
        "command": "forget",
        "version": __version__,
        "arguments": {"n": n},
        "started_utc": now,
        "ended_utc": now,
    }


def _without_files(basis: Basis, names: Collection[str]) -> tuple[Path, ...]:
    """The roots; a single recording among them that is forgotten would be named there."""
    places = {path_of(name, basis.roots, basis.working_directory) for name in names}
    return tuple(
        Path(FORGOTTEN) if place in places else root
        for root, place in zip(basis.roots, basis.places, strict=True)
    )


def _without_roots(run: Mapping[str, JsonValue], hidden: set[str]) -> Mapping[str, JsonValue]:
    arguments = run.get("arguments")
    if not hidden or not isinstance(arguments, Mapping):
        return run
    return {**run, "arguments": {key: _hiding(value, hidden) for key, value in arguments.items()}}


def _hiding(value: JsonValue, hidden: set[str]) -> JsonValue:
    if isinstance(value, str):
        return FORGOTTEN if shown_name(value) in hidden or value in hidden else value
    if isinstance(value, Sequence):
        return [_hiding(each, hidden) for each in value]
    return value


def _is_there(name: str, basis: Basis) -> bool:
    place = path_of(name, basis.roots, basis.working_directory)
    return place is not None and is_there(place)
