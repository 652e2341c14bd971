"""A report that travels: ids in the place of names, whatever the form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np

from ecgscreen.pseudonyms import Pseudonyms
from ecgscreen.publish import JsonValue
from ecgscreen.readers.pieces import Pieces
from ecgscreen.recording import SkippedRecording, SkipReason
from ecgscreen.reports.content import Report, ReportedStore
from ecgscreen.reports.provenance import Provenance
from ecgscreen.results import RecordResult
from ecgscreen.shards import StoredRow

LEFT_OUT = "(left out)"
"""Stands in ``run.json`` for an argument that names a place."""

_SAID = frozenset({"engine", "precision", "language"})
"""Arguments whose words are the program's own; words of any other may be a name."""


def pseudonymous(report: Report, pseudonyms: Pseudonyms) -> Report:
    """Return the same report with an id for every name of a recording, a folder or a file.

    Rows are sorted by id: the order of the names would tell who has a list of them which is
    which. Of the list and the calibration the file's name is kept, its folder is not.
    """
    store = _PseudonymousStore(report.store, pseudonyms)
    return replace(
        report,
        store=store,
        provenance=replace(_without_places(report.provenance), pseudonyms=pseudonyms.key_name),
        read=None if report.read is None else _reading(report.store, pseudonyms, report.read),
    )


def renamed(result: RecordResult, pseudonyms: Pseudonyms) -> RecordResult:
    """Return a row under its id.

    Without its time: the minute at which a recording was made tells in any hospital whose it is.
    """
    name = pseudonyms.of(result.path)
    return replace(result, path=name, record_id=name, acquired="")


class _PseudonymousStore:
    """What the reports see of a store: results under their ids."""

    def __init__(self, store: ReportedStore, pseudonyms: Pseudonyms) -> None:
        self._store = store
        self._pseudonyms = pseudonyms

    @property
    def n_records(self) -> int:
        return self._store.n_records

    def iter_sorted(
        self, key: Callable[[str, str], str] | None = None
    ) -> Iterator[list[StoredRow]]:
        def by_id(path: str, _record_id: str) -> str:
            return self._pseudonyms.of(path)

        for block in self._store.iter_sorted(key or by_id):
            yield [replace(row, result=renamed(row.result, self._pseudonyms)) for row in block]

    def iter_names(self) -> Iterator[tuple[str, str]]:
        for path, _ in self._store.iter_names():
            name = self._pseudonyms.of(path)
            yield name, name


def _reading(
    store: ReportedStore,
    pseudonyms: Pseudonyms,
    read: Callable[[str], Pieces | SkippedRecording],
) -> Callable[[str], Pieces | SkippedRecording]:
    """Read by id. The first call goes through all names; memory holds each and 16 bytes."""
    names: list[bytes] = []
    ids, order = np.empty(0, np.uint64), np.empty(0, np.intp)

    def read_by_id(name: str) -> Pieces | SkippedRecording:
        nonlocal ids, order
        if not names:
            paths = [path for path, _ in store.iter_names()]
            ids = np.array([int(pseudonyms.of(path), 16) for path in paths], np.uint64)
            order = ids.argsort()
            names.extend(path.encode("utf-8", "surrogateescape") for path in paths)
        place = int(np.searchsorted(ids, np.uint64(int(name, 16)), sorter=order))
        if place == len(ids):
            return SkippedRecording(Path(name), SkipReason.VANISHED, "the store has no such id")
        opened = read(names[int(order[place])].decode("utf-8", "surrogateescape"))
        if isinstance(opened, SkippedRecording):
            return opened
        return replace(opened, whole=replace(opened.whole, acquired=None))

    return read_by_id


def _without_places(made: Provenance) -> Provenance:
    calibration = made.calibration
    if calibration is not None:
        calibration = {**calibration, "dataset": LEFT_OUT}
    return replace(
        made,
        arguments=_said(made.arguments),
        list_name=PurePath(made.list_name).name,
        calibration=calibration,
    )


def _said(arguments: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        key: value
        if key in _SAID or value is None or isinstance(value, bool | int | float)
        else LEFT_OUT
        for key, value in arguments.items()
    }
