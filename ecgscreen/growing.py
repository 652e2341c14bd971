"""A screening that grows: what of a folder is new or changed, and what is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ecgscreen.errors import UsageError
from ecgscreen.found import Found
from ecgscreen.locate import is_there, path_of
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.row_index import IndexedRow
from ecgscreen.run_store import MANIFEST, RunStore
from ecgscreen.screening import Basis, read_basis
from ecgscreen.share import Share
from ecgscreen.stamp import FileStamp, stamp_digest

_FAILED = frozenset({Status.UNUSABLE, Status.ERROR})


def open_store(
    folder: Path, basis: Basis, *, rescore: bool = False, fresh: bool = False
) -> RunStore:
    """Open the store that a run goes on from; `RunStore.begin` begins the run.

    That is what an interrupted run left, if it was made with the same; else what the last
    finished run left; else nothing.

    Parameters
    ----------
    folder
        The store's own.
    basis
        What the run is made with.
    rescore
        Another list of diagnoses is no hindrance: nothing stored depends on it.
    fresh
        Begin anew, whatever is there.

    Raises
    ------
    UsageError
        If the rows were made with another bundle, preprocessing or list, or merged from places
        that are not known; or there is nothing to rescore.
    StoreError
        If a manifest is not understood.
    """
    if fresh:
        return RunStore.anew(folder)
    unfinished = RunStore.open_unfinished(folder)
    if unfinished is not None and not _differences(read_basis(unfinished), basis, rescore=rescore):
        return unfinished
    if (folder / MANIFEST).exists():
        store = RunStore.open(folder)
    elif unfinished is not None:
        store = unfinished
    elif rescore:
        raise UsageError(
            f"{folder}: there is no run store, nothing can be scored again",
            "Scan without --rescore first, or name the folder of a screening.",
        )
    else:
        return RunStore.anew(folder)
    _refuse_differences(folder, read_basis(store), basis, rescore=rescore)
    return store


class Growth:
    """Compares a walk over the folders with what is stored.

    Parameters
    ----------
    store
        As the run found it.
    retry_failed
        Try those again that could not be scored, though they did not change.
    since_ns
        Look only at what was written at this time or later, in ns since 1970; None: at all.
    share
        Look only at this share; None: at all.

    Attributes
    ----------
    n_kept
        Recordings that are stored as they are, or were not looked at.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        retry_failed: bool = False,
        since_ns: int | None = None,
        share: Share | None = None,
    ) -> None:
        self._store = store
        self._index = store.index
        self._retry_failed = retry_failed
        self._since_ns = since_ns
        self._share = share
        self._seen = np.zeros(self._index.n_rows, np.bool_)
        self._not_listed: list[str] = []
        self.n_kept = 0

    def to_prepare(
        self, walk: Iterable[Found], on_kept: Callable[[], None] = lambda: None
    ) -> Iterator[Found]:
        """Yield of a walk what is new, changed, or to be tried again.

        Parameters
        ----------
        walk
            A whole one: what it does not name is gone.
        on_kept
            Called for each of the others.
        """
        for found in walk:
            row = self._index.find(found.name)
            if row is not None:
                self._seen[row.number] = True
            if found.problem is not None and found.name.endswith("/"):
                self._not_listed.append("" if found.name == "./" else found.name)
            if self._share is not None and not self._share.holds(found.name):
                continue
            if self._is_wanted(found, row):
                yield found
            else:
                self.n_kept += 1
                on_kept()

    def known(self, found: Found) -> IndexedRow | None:
        """As `ecgscreen.found.Known` has it."""
        row = self._index.find(found.name)
        if row is None or row.status is Status.VANISHED or not _is_as_stored(found, row):
            return None
        return row

    def gone(self) -> Iterator[RecordResult]:
        """Yield, after the walk, the rows that it did not name and that have not vanished yet.

        What lies in a folder that could not be listed is not among them.

        Raises
        ------
        StoreError
            If the store is damaged.
        """
        live = self._index.live
        unseen = live[~(self._seen | self._index.status(Status.VANISHED))[live]]
        for row in self._store.iter_rows(unseen):
            if not row.result.path.startswith(tuple(self._not_listed)):
                yield row.result

    def mark_gone(self, basis: Basis) -> None:
        """After the walk: mark the recordings that it did not name as vanished.

        The row of a file that was none of a recording (a signal file whose header was late) goes,
        as it is part of one now.

        Raises
        ------
        StoreError
            If the store is damaged or cannot be written.
        """
        for result in self.gone():
            place = path_of(result.path, basis.roots, basis.working_directory)
            if result.status is Status.ERROR and place is not None and is_there(place):
                self._store.remove(result.path)
            else:
                self._store.append(not_scored(result.path, Status.VANISHED, SkipReason.GONE))

    def _is_wanted(self, found: Found, row: IndexedRow | None) -> bool:
        if self._since_ns is not None and _older(found.files, self._since_ns):
            return False
        if row is None or row.status is Status.VANISHED:
            return True
        if self._retry_failed and row.status in _FAILED:
            return True
        return not _is_as_stored(found, row)


def _is_as_stored(found: Found, row: IndexedRow) -> bool:
    others = [found.look_at(name) for name in row.unlisted]
    return stamp_digest([*found.files, *others]) == row.stamp


def _older(files: Sequence[FileStamp], since_ns: int) -> bool:
    # A file whose time cannot be known may be new.
    return bool(files) and all(file.size >= 0 and file.mtime_ns < since_ns for file in files)


def _refuse_differences(folder: Path, stored: Basis, basis: Basis, *, rescore: bool) -> None:
    if not stored.roots:
        # The walk would name none of its recordings: all of them would be marked as vanished.
        raise UsageError(
            f"{folder.parent}: was merged with --prefix, no scan goes on from it",
            "Scan into the screenings that it was made of, and merge them again.",
        )
    differences = _differences(stored, basis, rescore=rescore)
    if not differences:
        return
    rescoring = (
        ", --rescore scores the stored embeddings against this list."
        if list(differences) == ["list"]
        else " (--rescore does not help: it is for another list of diagnoses alone)."
    )
    raise UsageError(
        f"{folder.parent}: was made with {', '.join(differences.values())}",
        "Take the same as before, or another --out; --fresh scans everything anew" + rescoring,
    )


def _differences(stored: Basis, basis: Basis, *, rescore: bool) -> dict[str, str]:
    """Say in words what keeps a run from going on from stored rows."""
    found = {}
    if stored.bundle_sha256 != basis.bundle_sha256:
        found["bundle"] = (
            f"the bundle {stored.bundle_name} ({stored.bundle_sha256[:12]}), not "
            f"{basis.bundle_name} ({basis.bundle_sha256[:12]})"
        )
    if stored.preprocessing != basis.preprocessing:
        found["preprocessing"] = "another preprocessing"
    if stored.share != basis.share:
        found["share"] = f"--shard {stored.share or '1/1'}, not {basis.share or '1/1'}"
    if stored.list_sha256 != basis.list_sha256 and not rescore:
        found["list"] = (
            f"the list {stored.list_name} ({stored.list_sha256[:12]}), not "
            f"{basis.list_name} ({basis.list_sha256[:12]})"
        )
    return found
