"""Steps 2 to 4 of a scan for one recording: read, assess, prepare. Runs in any process."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context, parent_process
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from ecgscreen.assessment import assess
from ecgscreen.discover import Found
from ecgscreen.errors import WorkerError
from ecgscreen.preprocess import Prepared, PreprocessConfig, preprocess
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, RecordingError, SkippedRecording, SkipReason
from ecgscreen.results import RecordResult, Status, not_scored, record_id_of

CHUNK = 32
"""Recordings that a worker is given at once."""
CHUNKS_AHEAD = 2
"""Chunks under way per worker: enough to keep it busy, few enough to bound the memory."""
_UNUSABLE = frozenset({SkipReason.TOO_SHORT, SkipReason.NO_USABLE_LEAD})


@dataclass(frozen=True)
class PreparedRecord:
    """A recording that waits for the engine.

    Attributes
    ----------
    name
        As the reports show it.
    prepared
        Its windows and lead mask.
    quality
        The phrase for the report.
    sampling_rate, duration_s
        Of the file, in Hz and seconds.
    notes
        What a reader of the report should know.
    """

    name: str
    prepared: Prepared
    quality: str
    sampling_rate: float
    duration_s: float
    notes: tuple[str, ...]

    def scored(self, embeddings: NDArray[np.float32]) -> RecordResult:
        """The finished row, with float32 embeddings (n_windows, D) from the engine."""
        if not np.isfinite(embeddings).all():
            return not_scored(self.name, Status.ERROR, SkipReason.NO_EMBEDDING)
        return RecordResult(
            path=self.name,
            record_id=record_id_of(self.name),
            status=Status.SCORED,
            reason="",
            detail="",
            quality=self.quality,
            sampling_rate=self.sampling_rate,
            duration_s=self.duration_s,
            leads=tuple(np.array(LEADS)[self.prepared.lead_mask].tolist()),
            notes=self.notes,
            window_starts_s=self.prepared.starts_s,
            embeddings=embeddings.astype(np.float16),
        )


def prepare_recording(found: Found, config: PreprocessConfig) -> PreparedRecord | RecordResult:
    """Read, assess and prepare one recording; a recording without result is a finished row."""
    if found.problem is not None:
        return _skipped(found.name, found.problem)
    recording = read_recording(found.path, found.root)
    if isinstance(recording, SkippedRecording):
        return _skipped(found.name, recording)
    recording, quality = assess(recording)
    problem = None
    if quality.reason is not None:
        problem = SkippedRecording(found.path, quality.reason, quality.detail)
    else:
        try:
            prepared = preprocess(recording, quality.usable, config)
        except RecordingError as error:
            problem = SkippedRecording(found.path, error.reason, error.detail)
    if problem is not None:
        return replace(
            _skipped(found.name, problem),
            quality=quality.summary,
            sampling_rate=recording.sampling_rate,
            duration_s=recording.duration_s,
            notes=recording.notes,
        )
    return PreparedRecord(
        name=found.name,
        prepared=prepared,
        quality=quality.summary,
        sampling_rate=recording.sampling_rate,
        duration_s=recording.duration_s,
        notes=recording.notes,
    )


def prepare_all(
    found: Iterable[Found], config: PreprocessConfig, workers: int
) -> Iterator[PreparedRecord | RecordResult]:
    """Prepare a stream of recordings, in its order.

    Parameters
    ----------
    found
        The stream; never held as a whole.
    config
        From the bundle.
    workers
        Processes that prepare; 0 does it in this one.

    Raises
    ------
    WorkerError
        If a worker was killed, as the system does where memory runs out.
    """
    if workers == 0:
        for one in found:
            yield prepare_recording(one, config)
        return
    try:
        yield from _prepare_elsewhere(found, config, workers)
    except BrokenProcessPool as error:
        raise WorkerError(
            "a process that reads recordings was killed, or could not start",
            f"If memory ran out, give less than --workers {workers}, or 0.",
        ) from error


def _prepare_elsewhere(
    found: Iterable[Found], config: PreprocessConfig, workers: int
) -> Iterator[PreparedRecord | RecordResult]:
    chunks = _chunks(found)
    # spawn: a fork would copy the threads' locks of a runtime that is already loaded.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_end_with_parent
    ) as pool:
        under_way: deque[Future[list[PreparedRecord | RecordResult]]] = deque(
            _submit(pool, chunk, config) for chunk in islice(chunks, workers * CHUNKS_AHEAD)
        )
        while under_way:
            done = under_way.popleft().result()
            if (chunk := next(chunks, None)) is not None:
                under_way.append(_submit(pool, chunk, config))
            yield from done


def _submit(
    pool: ProcessPoolExecutor, chunk: tuple[Found, ...], config: PreprocessConfig
) -> Future[list[PreparedRecord | RecordResult]]:
    # Ctrl-C reaches every process of a terminal. A worker that is started here inherits that it
    # is blocked: the parent ends the workers, and none of them prints a traceback.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_prepare_chunk, chunk, config)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Make this worker end when its parent does, even if that was killed."""
    # It would wait for work for good otherwise: it holds both ends of its queue itself.
    parent = parent_process()
    if parent is None:
        raise RuntimeError("only a worker has a parent")

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True, name="end with parent").start()


def _chunks(found: Iterable[Found]) -> Iterator[tuple[Found, ...]]:
    stream = iter(found)
    while chunk := tuple(islice(stream, CHUNK)):
        yield chunk


def _prepare_chunk(
    chunk: tuple[Found, ...], config: PreprocessConfig
) -> list[PreparedRecord | RecordResult]:
    return [prepare_recording(found, config) for found in chunk]


def _skipped(name: str, skipped: SkippedRecording) -> RecordResult:
    if skipped.reason is SkipReason.VANISHED:
        status = Status.VANISHED
    elif skipped.reason in _UNUSABLE:
        status = Status.UNUSABLE
    else:
        status = Status.ERROR
    return not_scored(name, status, skipped.reason, skipped.detail)
