"""Whether a screening still is what its reports say, and rests on what they say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from os import W_OK, access
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.errors import BundleError, LabelListError, StoreError
from ecgscreen.label_list_file import read_list_file
from ecgscreen.locate import is_there, place_of
from ecgscreen.lock import locked
from ecgscreen.publish import sha256_of
from ecgscreen.readers import read_recording
from ecgscreen.readers.archives import archived
from ecgscreen.readers.opened import noting
from ecgscreen.remake import open_screening
from ecgscreen.reports import ROW_REPORTS, RUN
from ecgscreen.reports.blocks import scored_blocks
from ecgscreen.reports.csv import CsvReport
from ecgscreen.reports.inputs import InputsDigest
from ecgscreen.results import RecordResult
from ecgscreen.run_store import RunStore
from ecgscreen.score_again import Again, score_again
from ecgscreen.screening import Basis, read_basis, read_scoring
from ecgscreen.stored_report import stored_report

TABLE = "report.csv"
_NOWHERE = "merged with --prefix: it is not known where the recordings lie; verify what was merged"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    what
        In a few words, how many of it included.
    differences
        A sentence each; none if all is as it was.
    """

    what: str
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        yield f"{'DIFFERS' if self.differences else 'as it was'}: {self.what}"
        for difference in self.differences:
            yield f"  {difference}"


def verify_run(
    folder: Path, again: Again, *, bundle: Path | None = None, wait_s: float = 0.0
) -> Iterator[Check]:
    """Hold a screening against itself, its bundle, its list and its recordings.

    Parameters
    ----------
    folder
        Of the screening. Nothing is written there, but for the lock.
    again
        What is to be scored once more.
    bundle
        Where the bundle is now; None: where it was.
    wait_s
        How long to wait for a run that holds the folder, in seconds.

    Yields
    ------
    The checks, as each is done.

    Raises
    ------
    UsageError
        If there is no screening.
    LockedError
        If a run holds the folder.
    EngineError
        If an engine that is needed is not to be had.
    """
    open_screening(folder)
    with _held(folder, wait_s):
        store = open_screening(folder)
        try:
            basis = read_basis(store)
            yield from _published(folder, store, basis)
            loaded, check = _check_bundle(basis, bundle)
            yield check
            yield _check_list(store, basis)
            yield from _check_calibration(store, basis)
            if not basis.roots:
                yield Check("inputs", (_NOWHERE,))
                return
            yield _check_inputs(store, basis)
            if loaded is not None:
                what, differences = score_again(store, basis, loaded, again)
                yield Check(what, differences)
        except StoreError as error:
            yield Check("the run store", (error.message,))


def _held(folder: Path, wait_s: float) -> AbstractContextManager[None]:
    """Keep runs away; in an archive that nobody can write to there is none."""
    return locked(folder, wait_s) if access(folder, W_OK) else nullcontext()


def _published(folder: Path, store: RunStore, basis: Basis) -> Iterator[Check]:
    """Compare ``run.json`` with the store, and the reports with both."""
    try:
        run = json.loads((folder / RUN).read_bytes())
        hashes = {name: run["reports"][name]["sha256"] for name in ROW_REPORTS}
        inputs = dict(run["inputs"])
        made_with = {what: run[what]["sha256"] for what in ("bundle", "list")}
    except OSError as error:
        yield Check(RUN, (f"cannot be read: {error.strerror or error}",))
        return
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        yield Check(RUN, (f"is not understood ({error})",))
        return
    found = {name: _sha256(folder / name) for name in hashes}
    yield Check(
        f"reports, {len(hashes)} files",
        tuple(
            _differing(name, hashes[name], found[name])
            for name in hashes
            if hashes[name] != found[name]
        ),
    )
    stored = {"bundle": basis.bundle_sha256, "list": basis.list_sha256}
    yield Check(
        f"{RUN} and the store",
        tuple(
            _differing(f"the {what} in the store", made_with[what], stored[what])
            for what in stored
            if made_with[what] != stored[what]
        ),
    )
    table, digest = _remade(store)
    differences = []
    if inputs != digest:
        differences.append(_differing("the inputs in the store", str(inputs), str(digest)))
    if hashes.get(TABLE) != table:
        differences.append(_differing(f"{TABLE} made again", str(hashes.get(TABLE)), table))
    yield Check(f"the store, {store.n_records:,} recordings", tuple(differences))


def _remade(store: RunStore) -> tuple[str, Mapping[str, Any]]:
    """Make ``report.csv`` once more, beside everything: its SHA-256, and the inputs' digest."""
    report = stored_report(store)
    inputs = InputsDigest()
    with TemporaryDirectory(prefix="ecgscreen-") as folder:
        path = Path(folder) / TABLE
        table = CsvReport(path, report)
        for block in scored_blocks(report):
            table.write(block)
            inputs.write(block)
        table.close()
        return str(_sha256(path)), inputs.to_json()


def _check_bundle(basis: Basis, given: Path | None) -> tuple[Bundle | None, Check]:
    folder = given or basis.working_directory / basis.bundle_folder
    what = f"the bundle {basis.bundle_name}"
    try:
        bundle = load_bundle(folder)
    except BundleError as error:
        return None, Check(what, (error.message,))
    if bundle.sha256 != basis.bundle_sha256:
        return None, Check(what, (_differing(str(folder), basis.bundle_sha256, bundle.sha256),))
    return bundle, Check(what, ())


def _check_list(store: RunStore, basis: Basis) -> Check:
    what, expected = f"the list {basis.list_name}", basis.list_sha256
    kept = hashlib.sha256(read_scoring(store).list_text.encode()).hexdigest()
    differences = []
    if kept != expected:
        differences.append(_differing("its text in the store", expected, kept))
    there = basis.working_directory / basis.list_name
    try:
        _, content = read_list_file(str(there) if there.is_file() else basis.list_name)
    except LabelListError as error:
        differences.append(error.message)
    else:
        if (found := hashlib.sha256(content).hexdigest()) != expected:
            differences.append(_differing("its file", expected, found))
    return Check(what, tuple(differences))


def _check_calibration(store: RunStore, basis: Basis) -> Iterator[Check]:
    if basis.calibration is None:
        return
    given = [run["arguments"].get("calibration") for run in _runs(store)]
    path = next((basis.working_directory / str(name) for name in reversed(given) if name), None)
    expected = str(basis.calibration["sha256"])
    found = None if path is None else _sha256(path)
    differs = found != expected
    yield Check(
        f"the calibration {basis.calibration['file']}",
        (_differing("its file", expected, found),) if differs else (),
    )


def _check_inputs(store: RunStore, basis: Basis) -> Check:
    """Read every recording again, as the scan did, and hash what is read."""
    n = n_without = 0
    differences = []
    for row in store.iter_rows():
        result = row.result
        if not result.sha256:
            n_without += 1
            continue
        n += 1
        found = _content(result, basis)
        if found != result.sha256:
            differences.append(_differing(result.path, result.sha256, found))
    without = f"; {n_without:,} without a hash, which could not be read" if n_without else ""
    return Check(f"inputs, {n:,} recordings{without}", tuple(differences))


def _content(result: RecordResult, basis: Basis) -> str | None:
    place = place_of(result.path, basis.roots, basis.working_directory)
    if place is None:
        return None
    in_archive = archived(place[0])
    holders = (place[0].parent,) if in_archive is None else (in_archive[0],)
    if not any(map(is_there, (place[0], *holders))):
        return None
    with noting() as opened:
        read_recording(*place)
    return opened.sha256 or None


def _sha256(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None


def _differing(what: str, expected: str | None, found: str | None) -> str:
    if found is None:
        return f"{what}: is not there, or cannot be read"
    return f"{what}: {found}, expected {expected}"


def _runs(store: RunStore) -> list[Any]:
    return [run for run in store.runs if isinstance(run.get("arguments"), Mapping)]
