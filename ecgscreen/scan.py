"""The job: a folder of recordings in, reports out. Reads from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ecgscreen import __version__
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.crew_ahead import CrewAhead
from ecgscreen.discover import Discovery
from ecgscreen.embedding import Embedder
from ecgscreen.errors import NotScoredError, UsageError
from ecgscreen.growing import Growth, open_store
from ecgscreen.lock import locked
from ecgscreen.objects.address import is_object
from ecgscreen.objects.outage import Outage
from ecgscreen.prompts import read_prompts
from ecgscreen.publish import check_folder_can_be, make_private_folder, storing
from ecgscreen.reports import (
    ROW_REPORTS,
    Beside,
    Provenance,
    Report,
    RunSummary,
    write_reports,
)
from ecgscreen.results import RecordResult, Status, printable
from ecgscreen.run_store import RunStore
from ecgscreen.scan_embedder import crew_for, embedder_for
from ecgscreen.scan_options import ScanOptions, arguments_of
from ecgscreen.scoring import score
from ecgscreen.screening import SCORING, STORE, Basis, Scoring, read_basis, run_entry
from ecgscreen.site_calibration import calibrated_rows, load_calibration
from ecgscreen.stored_report import (
    reader_of,
    report_in_progress,
    shown_in_reports,
    stored_report,
)
from ecgscreen.vocabulary import load_vocabulary
from ecgscreen.workers import Crew

__all__ = ["Listener", "ScanOptions", "ScanResult", "scan"]

MANY_ROWS = 2_000
"""With fewer, another process would take as long to load what writes reports as it saves."""


@dataclass(frozen=True)
class ScanResult:
    """A finished scan: the run in numbers, and how it was made."""

    summary: RunSummary
    provenance: Provenance


@dataclass(frozen=True)
class Listener:
    """Who is told what a scan does; each is a call that does nothing by default.

    Attributes
    ----------
    started
        With the store that the run goes on from, before the first recording is read.
    done
        With every row as it is made.
    kept
        For every recording whose stored row is kept.
    """

    started: Callable[[RunStore], None] = lambda _store: None
    done: Callable[[RecordResult], None] = lambda _result: None
    kept: Callable[[], None] = lambda: None


def scan(
    options: ScanOptions,
    listener: Listener | None = None,
    ahead: CrewAhead | None = None,
) -> ScanResult:
    """Score the recordings below some folders against a list of diagnoses.

    What the screening in ``out`` holds already is kept: only what is new or changed is read.

    Parameters
    ----------
    options
        See `ScanOptions`.
    listener
        Told of what is done, for a progress bar or a log.
    ahead
        Of `ecgscreen.crew_ahead.crew_ahead`, with these options.

    Raises
    ------
    UsageError
        If a folder does not exist, ``out`` is a file, the list cannot be understood, or the
        screening was made with another bundle, preprocessing or list.
    CalibrationError
        If the calibration is of another bundle, or of none of the list's diagnoses.
    LockedError
        If another run holds the screening.
    NotScoredError
        If `options.strict` and a recording cannot be scored.
    BundleError, EngineError, StoreError
        See there. Else a recording that cannot be scored is never an error: it is a row.
    """
    started = datetime.now(UTC)
    listener = listener or Listener()
    if not options.rescore:
        _check_roots(options.roots)
    check_folder_can_be(options.out)
    bundle = load_bundle(options.bundle) if ahead is None else ahead.bundle
    with ExitStack() as stack:
        # First of all: the engine is loaded there while the list is read here.
        crew = stack.enter_context(crew_for(options, bundle) if ahead is None else ahead.crew)
        basis, scoring = _made_with(options, bundle)
        with embedder_for(options, bundle, crew) as embedder:
            with storing(options.out):
                make_private_folder(options.out)
            stack.enter_context(locked(options.out, options.wait_lock_s))
            store = open_store(
                options.out / STORE, basis, rescore=options.rescore, fresh=options.fresh
            )
            if options.rescore:  # the rows are of the folders that were scanned
                stored = read_basis(store)
                basis = replace(
                    basis, roots=stored.roots, working_directory=stored.working_directory
                )
            run = run_entry(
                "scan",
                __version__,
                arguments_of(options),
                started,
                None if embedder is None else embedder.info,
                _why(options),
            )
            store.begin(basis.to_json(), run, {SCORING: scoring.encode()})
            listener.started(store)
            if embedder is not None:
                _grow(store, embedder, basis, options, listener)
        store.update_run(ended_utc=datetime.now(UTC).isoformat())
        # Not even for the strips: who scores again may be where the recordings are not.
        report = stored_report(store, None if options.rescore else reader_of(basis))
        summary = write_reports(
            report,
            options.out,
            fail_if_empty=options.fail_if_empty,
            beside=_beside(crew, store, report),
        )
        store.finish()
    return ScanResult(summary, report.provenance)


def _beside(crew: Crew[RecordResult] | None, store: RunStore, report: Report) -> Beside | None:
    """End what has embedded, so that its memory is free; where it pays, one helps to report."""
    if crew is None:
        return None
    if store.n_records < MANY_ROWS:
        crew.end()
        return None
    helper = crew.last_one()
    if helper is None:
        return None
    return Beside(helper, partial(report_in_progress, store.folder, report.provenance))


def _made_with(options: ScanOptions, bundle: Bundle) -> tuple[Basis, Scoring]:
    """Read what the reports are made with: the list, and a calibration."""
    path = options.calibration
    calibration = None if path is None else load_calibration(path, bundle)
    diagnoses, prompts = read_prompts(options.labels, bundle, load_vocabulary())

    basis = Basis(
        bundle_name=bundle.name,
        bundle_sha256=bundle.sha256,
        bundle_folder=options.bundle,
        preprocessing=dict(bundle.preprocessing.to_dict()),
        list_name=diagnoses.name,
        list_sha256=diagnoses.sha256,
        roots=options.roots,
        working_directory=Path.cwd(),
        language=options.language,
        calibration=None if calibration is None else calibration.named,
        share=None if options.share is None else str(options.share),
        pseudonymised=options.pseudonymise_paths,
    )
    reference = bundle.reference
    scoring = Scoring(
        list_text=diagnoses.text,
        diagnoses=calibrated_rows(prompts.rows, diagnoses.diagnoses, calibration),
        directions=prompts.directions,
        reference_scores=None if reference is None else score(reference, prompts.directions),
    )
    return basis, scoring


def _grow(
    store: RunStore,
    embedder: Embedder,
    basis: Basis,
    options: ScanOptions,
    listener: Listener,
) -> None:
    """Add to a store what the folders hold that is new or changed."""
    growth = Growth(
        store,
        # A strict run that kept a failure would not notice it.
        retry_failed=options.retry_failed or options.strict,
        since_ns=None if options.since is None else int(options.since.timestamp() * 1e9),
        share=options.share,
    )
    discovery = Discovery(options.roots, known=growth.known)
    shown = shown_in_reports(store, basis)
    found = growth.to_prepare(discovery, listener.kept)
    outage = Outage()
    try:
        with closing(embedder.rows(found)) as results:
            for result in results:
                if options.strict and result.status is not Status.SCORED:
                    raise _not_scored_error(shown(result), options.out)
                store.append(result)
                listener.done(shown(result))
                outage.look_at(result)
        growth.mark_gone(basis)
        # Every job of several walks all folders: one of them counts what it ignored.
        is_first = options.share is None or options.share.number == 1
        store.update_run(n_ignored=discovery.ignored if is_first else 0)
    finally:
        # Also when the run is ended in between: the next one goes on from here.
        store.flush()


def _check_roots(roots: Sequence[Path]) -> None:
    for root in roots:
        if is_object(root):
            from ecgscreen.objects.store import check_root

            check_root(root)
            continue
        try:
            root.stat()
        except FileNotFoundError as error:
            raise UsageError(f"{root} does not exist", "Name a folder with recordings.") from error
        except OSError as error:
            raise UsageError(
                f"{root}: {error.strerror}", "Name a folder with recordings that may be read."
            ) from error


def _not_scored_error(result: RecordResult, out: Path) -> NotScoredError:
    why = f"{result.reason}: {result.detail}" if result.detail else result.reason
    reports = (
        "the reports stay as they were"
        if any((out / name).exists() for name in ROW_REPORTS)
        else "no reports are written, and there were none before"
    )
    return NotScoredError(
        f"{printable(result.path)}: {printable(why)}", f"The run was to be --strict: {reports}."
    )


def _why(options: ScanOptions) -> str:
    if options.rescore:
        return "of the runs before: the embeddings are theirs"
    return "the default" if options.engine is None else "asked for"
