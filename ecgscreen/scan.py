"""The job: a folder of recordings in, reports out. Reads from top to bottom."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ecgscreen import __version__
from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.diagnoses import load_list
from ecgscreen.discover import Discovery
from ecgscreen.errors import EngineError, UsageError
from ecgscreen.locate import read_shown
from ecgscreen.preparation import PreparedRecord
from ecgscreen.prompts import embed_list
from ecgscreen.publish import JsonValue, make_private_folder, storing
from ecgscreen.reports import Provenance, Report, RunSummary, write_reports
from ecgscreen.results import RecordResult
from ecgscreen.run_store import RunStore
from ecgscreen.scoring import score
from ecgscreen.site_calibration import calibrated_rows, load_calibration
from ecgscreen.vocabulary import load_vocabulary
from ecgscreen.workers import prepare_all
from engines.base import Engine, EngineUnavailableError
from engines.select import load_engine
from engines.stream import Windows, embed_stream

STORE = "store"


@dataclass(frozen=True)
class ScanOptions:
    """What to scan, with what, and where the reports go.

    Attributes
    ----------
    roots
        Folders or single recordings.
    labels
        A list of diagnoses: a file, or the name of one that ships.
    out
        The screening's folder.
    bundle
        A model bundle's folder.
    engine
        Of `engines.select.ENGINES`; None takes the default.
    precision, batch_size, threads
        See `engines.select.load_engine`.
    workers
        Processes that read and prepare; 0 does it in this one, None decides by the number of
        recordings and of cores.
    calibration
        A file of ``ecgscreen calibrate``: its thresholds and probabilities come before the
        bundle's.
    language
        Of what is written for a reader: ``en`` or ``de``.
    """

    roots: tuple[Path, ...]
    labels: str
    out: Path
    bundle: Path = field(default_factory=default_bundle)
    engine: str | None = None
    precision: str = "auto"
    batch_size: int = 32
    threads: int = 0
    workers: int | None = None
    calibration: Path | None = None
    language: str = "en"


@dataclass(frozen=True)
class ScanResult:
    """A finished scan: the run in numbers, and how it was made."""

    summary: RunSummary
    provenance: Provenance


def scan(
    options: ScanOptions, on_result: Callable[[RecordResult], None] = lambda _result: None
) -> ScanResult:
    """Score every recording below some folders against a list of diagnoses.

    Parameters
    ----------
    options
        See `ScanOptions`.
    on_result
        Called with every row as it is done, for a progress bar.

    Raises
    ------
    UsageError
        If a folder does not exist, or the list cannot be understood.
    CalibrationError
        If the calibration is of another bundle.
    BundleError, EngineError, StoreError
        See there. A recording that cannot be scored is never an error: it is a row.
    """
    started = datetime.now(UTC)
    _check_roots(options.roots)
    bundle = load_bundle(options.bundle)
    path = options.calibration
    calibration = None if path is None else load_calibration(path, bundle)
    diagnoses = load_list(options.labels)
    prompts = embed_list(diagnoses, bundle, load_vocabulary())
    engine = _load_engine(options, bundle)

    discovery = Discovery(options.roots)
    with storing(options.out):
        make_private_folder(options.out)
    store = RunStore.create(options.out / STORE, _made_with(bundle))
    with (
        closing(prepare_all(discovery, bundle.preprocessing, options.workers)) as prepared,
        closing(embed_all(prepared, engine)) as results,
    ):
        for result in results:
            store.append(result)
            on_result(result)
    store.finish()

    provenance = Provenance(
        version=__version__,
        command="scan",
        arguments=_arguments(options),
        started=started,
        ended=datetime.now(UTC),
        bundle_name=bundle.name,
        bundle_sha256=bundle.sha256,
        list_name=diagnoses.name,
        list_sha256=diagnoses.sha256,
        preprocessing=dict(bundle.preprocessing.to_dict()),
        engine=engine.info,
        engine_reason="the default" if options.engine is None else "asked for",
        n_ignored=discovery.ignored,
        calibration=None if calibration is None else calibration.named,
    )
    reference = bundle.reference
    report = Report(
        store=store,
        diagnoses=calibrated_rows(prompts.rows, diagnoses.diagnoses, calibration),
        directions=prompts.directions,
        reference_scores=None if reference is None else score(reference, prompts.directions),
        provenance=provenance,
        language=options.language,
        read=lambda name: read_shown(name, options.roots),
    )
    return ScanResult(write_reports(report, options.out), provenance)


def embed_all(
    records: Iterable[PreparedRecord | RecordResult], engine: Engine
) -> Generator[RecordResult, None, None]:
    """Embed a stream of prepared recordings, in its order, while the next ones are prepared.

    Raises
    ------
    EngineError
        If the engine fails.
    """
    waiting: deque[PreparedRecord | RecordResult] = deque()

    def windows() -> Iterator[Windows | None]:
        for record in records:
            waiting.append(record)
            yield None if isinstance(record, RecordResult) else _windows(record)

    try:
        for embeddings in embed_stream(engine, windows()):
            record = waiting.popleft()
            yield record if isinstance(record, RecordResult) else record.scored(embeddings)
    except EngineUnavailableError as error:  # a device that fails, or is taken away
        raise EngineError(error.message, error.advice) from error


def _windows(record: PreparedRecord) -> Windows:
    windows = record.prepared.windows
    return windows, np.broadcast_to(record.prepared.lead_mask, windows.shape[:2])


def _check_roots(roots: Sequence[Path]) -> None:
    for root in roots:
        try:
            root.stat()
        except FileNotFoundError as error:
            raise UsageError(f"{root} does not exist", "name a folder with recordings") from error
        except OSError as error:
            raise UsageError(
                f"{root}: {error.strerror}", "name a folder with recordings that may be read"
            ) from error


def _load_engine(options: ScanOptions, bundle: Bundle) -> Engine:
    try:
        return load_engine(
            options.engine or "openvino",
            bundle.encoder_onnx,
            precision=options.precision,
            batch_size=options.batch_size,
            threads=options.threads,
        )
    except EngineUnavailableError as error:
        raise EngineError(error.message, error.advice) from error


def _made_with(bundle: Bundle) -> Mapping[str, JsonValue]:
    """What the stored embeddings depend on."""
    return {
        "ecgscreen": __version__,
        "bundle": bundle.name,
        "bundle_sha256": bundle.sha256,
        "preprocessing": dict(bundle.preprocessing.to_dict()),
    }


def _arguments(options: ScanOptions) -> dict[str, JsonValue]:
    return {
        "roots": [str(root) for root in options.roots],
        "labels": options.labels,
        "out": str(options.out),
        "bundle": str(options.bundle),
        "engine": options.engine,
        "precision": options.precision,
        "batch_size": options.batch_size,
        "threads": options.threads,
        "workers": options.workers,
        "calibration": None if options.calibration is None else str(options.calibration),
        "language": options.language,
    }
