"""What a process takes that embeds recordings: a bundle and an engine, which it loads once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.embedding import embed_all
from ecgscreen.errors import BundleError, EcgscreenError, EngineError
from ecgscreen.long_turns import take_long_turns
from ecgscreen.preparation import prepare_recordings
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.results import RecordResult
from ecgscreen.serving import Task, keep_freed_memory
from engines.base import Engine, EngineInfo, EngineUnavailableError
from engines.select import load_engine


@dataclass(frozen=True)
class EmbeddingJob:
    """What every process that embeds for a scan needs to know; it is the same in all.

    Attributes
    ----------
    bundle
        The model bundle's folder, an absolute path.
    bundle_sha256
        Of its manifest, as the scan read it.
    engine, precision, batch_size, threads
        See `engines.select.load_engine`.
    """

    bundle: Path
    bundle_sha256: str
    engine: str
    precision: str
    batch_size: int
    threads: int = 1

    def other_bundle(self, found: str) -> EcgscreenError:
        """What to say where the folder holds a bundle of another SHA-256."""
        return BundleError(
            f"{self.bundle}: the bundle changed while the scan began "
            f"({found[:12]}, not {self.bundle_sha256[:12]})",
            "Run the scan again.",
        )


@dataclass(frozen=True)
class Embedding:
    """A work of `ecgscreen.serving`: to embed, in a process of the scan's own.

    Attributes
    ----------
    job
        The same for all of them.
    """

    job: EmbeddingJob

    def begin(self) -> EngineInfo:
        """Load the engine.

        Raises
        ------
        EcgscreenError
            As `load_once`.
        """
        return load_once(self.job)[0].info

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[RecordResult]:
        """See `ecgscreen.serving.Work`."""
        engine, preprocessing = load_once(self.job)
        return embed_all(prepare_recordings(tasks, preprocessing), engine)


_LOADED: dict[EmbeddingJob, tuple[Engine, PreprocessConfig]] = {}
"""Of the last job."""


def load_once(job: EmbeddingJob) -> tuple[Engine, PreprocessConfig]:
    """Load what the job names; once a process, as long as the job is the same.

    Raises
    ------
    EcgscreenError
        `EmbeddingJob.other_bundle`, if the bundle is not the one that the scan read.
    EngineError, BundleError
        If they cannot be loaded.
    """
    if job not in _LOADED:
        keep_freed_memory()
        take_long_turns()
        _LOADED.clear()
        engine, preprocessing = _load(job)
        # The chunks of a cluster ask for what became of ``auto``.
        settled = replace(job, precision=engine.info.precision)
        _LOADED[job] = _LOADED[settled] = engine, preprocessing
    return _LOADED[job]


def keep_for_copies(bundle: Bundle) -> None:
    """Keep a bundle that was read, so that processes that are copies of this one need not."""
    _READ.clear()
    _READ[bundle.sha256] = bundle


_READ: dict[str, Bundle] = {}
"""By the SHA-256 of its manifest."""


def _load(job: EmbeddingJob) -> tuple[Engine, PreprocessConfig]:
    bundle = _READ.get(job.bundle_sha256) or load_bundle(job.bundle)
    if bundle.sha256 != job.bundle_sha256:
        raise job.other_bundle(bundle.sha256)
    return engine_of(job, bundle), bundle.preprocessing


def engine_of(job: EmbeddingJob, bundle: Bundle) -> Engine:
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
