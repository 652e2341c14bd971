"""The reports of a screening once more, from its store alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ecgscreen.errors import UsageError
from ecgscreen.lock import locked
from ecgscreen.pseudonyms import load_pseudonyms
from ecgscreen.publish import make_private_folder, storing
from ecgscreen.reports import Provenance, RunSummary, write_reports
from ecgscreen.reports.pseudonymous import pseudonymous
from ecgscreen.run_store import MANIFEST, RunStore
from ecgscreen.screening import STORE, read_basis
from ecgscreen.stored_report import reader_of, stored_report


def open_screening(folder: Path) -> RunStore:
    """Open the store of a screening as its last finished run left it, to read it.

    Parameters
    ----------
    folder
        The ``--out`` of the scan.

    Raises
    ------
    UsageError
        If no run was ever finished there.
    StoreError
        If the manifest is not understood.
    """
    store = folder / STORE
    if (store / MANIFEST).is_file():
        return RunStore.open(store)
    if RunStore.open_unfinished(store) is not None:
        raise UsageError(
            f"{folder}: its first run was interrupted, there is no result yet",
            "Give the scan's command again: it goes on where it was.",
        )
    raise UsageError(
        f"{folder}: holds no screening, expected the folder 'store' that a scan leaves",
        "Name the folder that was given to ecgscreen scan as --out.",
    )


def export(
    folder: Path,
    out: Path | None = None,
    *,
    pseudonymise: bool = False,
    language: str | None = None,
    wait_s: float = 0.0,
) -> tuple[RunSummary, Provenance]:
    """Make all reports of a screening anew.

    Parameters
    ----------
    folder
        Of the screening.
    out
        Where the reports go; None replaces the screening's own.
    pseudonymise
        Ids in the place of names. Those of the screening itself stay as the scan made them.
    language
        Of the page; None takes that of the scan.
    wait_s
        How long to wait for a run that holds the folder, in seconds.

    Returns
    -------
    What the reports say in numbers, and how they were made.

    Raises
    ------
    UsageError
        If there is no screening; or its own reports would lose their names.
    LockedError
        If a run holds the folder.
    StoreError
        If the store is damaged, or a report cannot be written.
    """
    open_screening(folder)
    inside = out is None or (out.exists() and out.resolve() == folder.resolve())
    if inside and pseudonymise:
        raise UsageError(
            f"{folder}: its own reports are those of the scan, with names or without",
            "Give --out another folder for reports that travel.",
        )
    with locked(folder, wait_s):
        # Not before: a run may have ended meanwhile.
        store = open_screening(folder)
        target = folder if out is None else out
        with storing(target):
            make_private_folder(target)
        return write_stored(store, target, pseudonymise=pseudonymise, language=language)


def write_stored(
    store: RunStore, target: Path, *, pseudonymise: bool = False, language: str | None = None
) -> tuple[RunSummary, Provenance]:
    """Write the reports of a store into a folder that exists; see `export`.

    The caller holds the screening's lock.
    """
    basis = read_basis(store)
    report = stored_report(store, reader_of(basis))
    if language is not None:
        report = replace(report, language=language)
    if pseudonymise and not basis.pseudonymised:
        report = pseudonymous(report, load_pseudonyms(store.folder))
    return write_reports(report, target), report.provenance
