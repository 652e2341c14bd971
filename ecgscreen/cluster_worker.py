"""What a worker of a cluster does: with one engine it turns chunks of recordings into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from ecgscreen import __version__
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.embedding import embed_all
from ecgscreen.errors import ClusterError, EngineError
from ecgscreen.objects.ahead import fetching_ahead
from ecgscreen.packing import PackedFound, PackedRows, pack_rows, unpack_found
from ecgscreen.preparation import prepare_recordings
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.results import RecordResult
from ecgscreen.serving import Task, keep_freed_memory
from engines.base import Engine, EngineInfo, EngineUnavailableError
from engines.select import load_engine


@dataclass(frozen=True)
class ClusterJob:
    """What every worker needs to know; it is sent with each chunk, and the same in all.

    Attributes
    ----------
    bundle
        The model bundle's folder, which every worker sees by the same absolute path.
    bundle_sha256
        Of its manifest, as the scan read it.
    version
        Of ecgscreen, as the scan runs it.
    engine, precision, batch_size, threads
        See `engines.select.load_engine`.
    """

    bundle: Path
    bundle_sha256: str
    version: str
    engine: str
    precision: str
    batch_size: int
    threads: int = 1


def describe(job: ClusterJob) -> EngineInfo:
    """Load the engine, and say what it is.

    Raises
    ------
    ClusterError
        If the worker has another version of ecgscreen, or another bundle.
    EngineError, BundleError
        If they cannot be loaded.
    """
    with _ONE_AT_A_TIME:
        return _loaded(job)[0].info


def embed_chunk(job: ClusterJob, chunk: PackedFound) -> PackedRows:
    """Read, prepare and embed recordings, in their order.

    Raises
    ------
    ClusterError, EngineError, BundleError
        As `describe`. A recording that cannot be scored is a row.
    """
    # An engine serves one stream at a time, whatever number of threads the worker was given.
    with _ONE_AT_A_TIME:
        engine, preprocessing = _loaded(job)
        found = fetching_ahead(unpack_found(chunk))
        return pack_rows(embed_all(prepare_recordings(found, preprocessing), engine))


@dataclass(frozen=True)
class Embedding:
    """A work of `ecgscreen.serving`: what a worker of a cluster does, in a process of the scan's.

    Attributes
    ----------
    job
        The same for all of them.
    """

    job: ClusterJob

    def begin(self) -> EngineInfo:
        """Load the engine."""
        return describe(self.job)

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[RecordResult]:
        """See `ecgscreen.serving.Work`."""
        engine, preprocessing = _loaded(self.job)
        return embed_all(prepare_recordings(tasks, preprocessing), engine)


_ONE_AT_A_TIME = Lock()
_LOADED: dict[ClusterJob, tuple[Engine, PreprocessConfig]] = {}
"""Of the last job."""


def _loaded(job: ClusterJob) -> tuple[Engine, PreprocessConfig]:
    """Load what the job names; once a process, as long as the job is the same."""
    if job not in _LOADED:
        keep_freed_memory()
        _LOADED.clear()
        engine, preprocessing = _load(job)
        # The chunks ask for what became of ``auto``.
        settled = replace(job, precision=engine.info.precision)
        _LOADED[job] = _LOADED[settled] = engine, preprocessing
    return _LOADED[job]


def _load(job: ClusterJob) -> tuple[Engine, PreprocessConfig]:
    if job.version != __version__:
        raise ClusterError(
            f"a worker of the cluster has ecgscreen {__version__}, the scan is of {job.version}",
            "Install the same version on all machines.",
        )
    bundle = load_bundle(job.bundle)
    if bundle.sha256 != job.bundle_sha256:
        raise ClusterError(
            f"{job.bundle}: on a worker of the cluster the bundle is another one "
            f"({bundle.sha256[:12]}, not {job.bundle_sha256[:12]})",
            "Give a --bundle that all machines see by the same path.",
        )
    return engine_of(job, bundle), bundle.preprocessing


def engine_of(job: ClusterJob, bundle: Bundle) -> Engine:
    """Load the engine of a job, with its bundle's encoder.

    Raises
    ------
    EngineError
        If it is not to be had here.
    """
    try:
        return load_engine(
            job.engine,
            bundle.encoder_onnx,
            precision=job.precision,
            batch_size=job.batch_size,
            threads=job.threads,
        )
    except EngineUnavailableError as error:
        raise EngineError(error.message, error.advice) from error
