"""Several screenings become one, no recording twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

import numpy as np

from ecgscreen import __version__
from ecgscreen.errors import UsageError
from ecgscreen.lock import locked
from ecgscreen.manifest import number_of
from ecgscreen.objects.address import is_object
from ecgscreen.publish import JsonValue, make_private_folder, storing
from ecgscreen.remake import open_screening, write_stored
from ecgscreen.reports import Provenance, RunSummary
from ecgscreen.results import Status, record_id_of
from ecgscreen.run_store import RunStore
from ecgscreen.screening import SCORING, STORE, Basis, read_basis
from ecgscreen.shards import StoredRow
from ecgscreen.shown_names import shown_name
from ecgscreen.stamp import stamp_digest

CONFLICTS_NAMED = 3


@dataclass(frozen=True)
class Merged:
    """A screening made of others.

    Attributes
    ----------
    n_taken
        Recordings of each screening that went in, in the order given.
    n_twice
        Recordings that an earlier one had already.
    summary, provenance
        Of the reports.
    """

    n_taken: tuple[int, ...]
    n_twice: int
    summary: RunSummary
    provenance: Provenance


def merge(
    folders: Sequence[Path], out: Path, *, prefix: bool = False, wait_s: float = 0.0
) -> Merged:
    """Make one screening of several.

    A recording keeps the name that one scan over all their folders would give it: screenings of
    the same folder are laid over each other, and with several folders each name begins with its
    own. A recording that two screenings hold with the same content is taken once, scored rather
    than not. With other content it is refused: one of the two is out of date, or they are two
    places of the same name, which `prefix` tells apart.

    Parameters
    ----------
    folders
        Of the screenings, at least two; they stay as they are.
    out
        Of the new one; does not exist, or is empty.
    prefix
        Put the name of the screening's folder before each name. Their recordings are not found
        again then: not for strips, not by ``verify-run``; and no scan goes on from there.
    wait_s
        How long to wait for a run that holds one of the folders, in seconds.

    Raises
    ------
    UsageError
        If one is no screening, they differ in bundle, preprocessing, list or calibration, one
        path has two contents, or `out` is in use.
    LockedError
        If a run holds one of the folders.
    StoreError
        If a store is damaged, or the new one cannot be written.
    """
    _check_places(folders, out)
    for folder in folders:
        open_screening(folder)
    with _removed_if_it_fails(out), ExitStack() as locks:
        for folder in (*folders, out):
            locks.enter_context(locked(folder, wait_s))
        stores = [open_screening(folder) for folder in folders]
        bases = [read_basis(store) for store in stores]
        _refuse_differences(folders, stores, bases)
        basis, names = _by_folder(folders, bases) if prefix else _over_all_roots(bases)
        target = _begun(out / STORE, basis, stores, folders)
        n_twice = 0
        for store, rename, first_run in zip(stores, names, _first_runs(stores), strict=True):
            n_twice += _take(target, store, rename, first_run)
        target.finish()
        summary, provenance = write_stored(target, out)
    n_taken = tuple(store.n_records for store in stores)
    return Merged(n_taken, n_twice, summary, provenance)


@contextmanager
def _removed_if_it_fails(folder: Path) -> Iterator[None]:
    """Make a folder, and leave none with half a screening in it."""
    with storing(folder):
        make_private_folder(folder)
    try:
        yield
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise


def _check_places(folders: Sequence[Path], out: Path) -> None:
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise UsageError(
            f"{', '.join(map(str, folders))}: one and the same screening, or a single one",
            "Name at least two different ones.",
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty", "Name a new folder as --out.")


def _refuse_differences(
    folders: Sequence[Path], stores: Sequence[RunStore], bases: Sequence[Basis]
) -> None:
    first = bases[0]
    for folder, store, basis in zip(folders[1:], stores[1:], bases[1:], strict=True):
        pairs = {
            "bundle": (first.bundle_sha256, basis.bundle_sha256),
            "preprocessing": (first.preprocessing, basis.preprocessing),
            "list": (first.list_sha256, basis.list_sha256),
            "calibration": (_sha256(first.calibration), _sha256(basis.calibration)),
            "names (pseudonyms on one side)": (first.pseudonymised, basis.pseudonymised),
        }
        differing = [what for what, (a, b) in pairs.items() if a != b]
        if not differing and stores[0].attachment(SCORING) != store.attachment(SCORING):
            # The same list and bundle, and yet: the bundle has learned thresholds since.
            differing = ["scoring"]
        if differing:
            named = {
                "bundle": f"{first.bundle_name} and {basis.bundle_name}",
                "list": f"{first.list_name} and {basis.list_name}",
            }
            details = ", ".join(
                f"{what} ({named[what]})" if what in named else what for what in differing
            )
            raise UsageError(
                f"{folders[0]} and {folder} were not made with the same {details}",
                "Scan one of them again with what the other has: --rescore for another list, "
                "--fresh for another bundle.",
            )


def _sha256(calibration: Mapping[str, JsonValue] | None) -> JsonValue:
    return None if calibration is None else calibration["sha256"]


def _over_all_roots(bases: Sequence[Basis]) -> tuple[Basis, list[Callable[[str], str]]]:
    """The basis of one scan over all roots, and what each store's names become in it."""
    here = bases[0].working_directory
    if any(basis.working_directory != here for basis in bases):
        # What was given relative to different places has one spelling only in full.
        spelled = [tuple(Path(os.path.normpath(p)) for p in basis.places) for basis in bases]
    else:
        spelled = [basis.roots for basis in bases]
    roots = tuple(dict.fromkeys(root for each in spelled for root in each))
    several = len(roots) > 1
    return replace(bases[0], roots=roots, share=None), [
        _Renaming(basis, names, several).name for basis, names in zip(bases, spelled, strict=True)
    ]


class _Renaming:
    """From the names of a scan over some roots to those of a scan over more of them.

    Attributes
    ----------
    pairs
        What a name begins with, and what that becomes.
    """

    def __init__(self, basis: Basis, spelled: Sequence[Path], several: bool) -> None:
        was_several = len(basis.roots) > 1
        self._pairs = []
        for given, place, root in zip(basis.roots, basis.places, spelled, strict=True):
            if is_object(given):  # its names are whole addresses, whatever stands beside it
                continue
            slash = "" if place.is_file() else "/"
            if was_several:
                before = shown_name(str(given).rstrip("/") + slash)
            else:
                before = "" if slash else shown_name(given.name)
            if several:
                after = shown_name(str(root).rstrip("/") + slash)
            else:
                after = "" if slash else shown_name(root.name)
            self._pairs.append((before, after))
        # The longest first: a root may lie in another.
        self._pairs.sort(key=lambda pair: -len(pair[0]))

    def name(self, name: str) -> str:
        for before, after in self._pairs:
            if name.startswith(before):
                return after + name.removeprefix(before)
        return name


def _by_folder(
    folders: Sequence[Path], bases: Sequence[Basis]
) -> tuple[Basis, list[Callable[[str], str]]]:
    prefixes = [shown_name(folder.resolve().name + "/") for folder in folders]
    if len(set(prefixes)) < len(prefixes):
        raise UsageError(
            f"{', '.join(map(str, folders))}: two folders of one name cannot be told apart",
            "Rename one of them.",
        )
    renamings: list[Callable[[str], str]] = [prefix.__add__ for prefix in prefixes]
    return replace(bases[0], roots=(), share=None), renamings


def _first_runs(stores: Sequence[RunStore]) -> list[int]:
    """What is added to the run numbers of each store."""
    highest = [max((number_of(run) for run in store.runs), default=0) for store in stores]
    return [sum(highest[:place]) for place in range(len(stores))]


def _begun(
    folder: Path, basis: Basis, stores: Sequence[RunStore], folders: Sequence[Path]
) -> RunStore:
    """A store with the runs of all the others, and that of the merging in progress."""
    earlier = [
        {**run, "number": first + number_of(run)}
        for store, first in zip(stores, _first_runs(stores), strict=True)
        for run in store.runs
    ]
    now = datetime.now(UTC).isoformat()
    last = max(
        (run for store in stores for run in store.runs[-1:]), key=lambda run: str(run["ended_utc"])
    )
    ignored = [store.runs[-1].get("n_ignored") for store in stores]
    run: dict[str, JsonValue] = {
        **last,
        "command": "merge",
        "version": __version__,
        "arguments": {"screenings": [shown_name(str(folder)) for folder in folders]},
        "started_utc": now,
        "ended_utc": now,
        "n_ignored": sum(n for n in ignored if isinstance(n, int)),
    }
    target = RunStore.anew(folder)
    attachments = {SCORING: stores[0].attachment(SCORING)}
    target.begin(basis.to_json(), run, attachments, earlier=earlier)
    return target


def _take(target: RunStore, store: RunStore, rename: Callable[[str], str], first_run: int) -> int:
    """Add a store's rows to those before; return how many of them were there already."""
    target.flush()
    before = target.index
    conflicts: list[str] = []
    n_twice = 0
    for row in store.iter_rows():
        name = rename(row.result.path)
        known = before.find(name)
        if known is not None:
            n_twice += 1
            if known.stamp != stamp_digest(row.result.files):
                (other,) = target.iter_rows(np.array([known.number], np.intp))
                if _contradict(row, other):
                    conflicts.append(name)
            if known.status is Status.SCORED or row.result.status is not Status.SCORED:
                continue
        result = replace(row.result, path=name, record_id=record_id_of(name))
        target.append(result, run=first_run + row.run, made_s=row.made_s)
    if conflicts:
        named = ", ".join(repr(name) for name in conflicts[:CONFLICTS_NAMED])
        raise UsageError(
            f"{store.folder.parent}: {len(conflicts):,} recordings have another content than those "
            f"of the same path in a screening before it: {named}",
            "Scan both folders again if one is out of date; give --prefix if they are two places.",
        )
    return n_twice


def _contradict(row: StoredRow, other: StoredRow) -> bool:
    """Whether two rows of one path, whose files' sizes or times differ, are of two contents.

    One that could not be read, or vanished, has none.
    """
    contents = (row.result.sha256, other.result.sha256)
    if all(contents):
        return contents[0] != contents[1]
    return {row.result.status, other.result.status} == {Status.SCORED}
