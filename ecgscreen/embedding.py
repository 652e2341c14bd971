"""Recordings become rows: read, prepared and embedded as a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgscreen.crew_size import FEW, most_workers
from ecgscreen.errors import EngineError
from ecgscreen.found import Found
from ecgscreen.garbage import expect_work
from ecgscreen.long_recording import LongPreparation, LongRecording
from ecgscreen.objects.ahead import fetching_ahead
from ecgscreen.preparation import PreparedRecord, prepare_recordings
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.results import RecordResult
from ecgscreen.serving import Task
from ecgscreen.workers import Crew
from engines.base import Engine, EngineInfo, EngineUnavailableError
from engines.stream import Windows, embed_stream


class Embedder(Protocol):
    """Turns recordings into rows, here or on other machines."""

    @property
    def info(self) -> EngineInfo:
        """The engine that does it."""
        ...

    def rows(self, found: Iterable[Found]) -> Generator[RecordResult, None, None]:
        """Yield a row for each of a stream of recordings, in any order; closing it ends all.

        Raises
        ------
        EcgscreenError
            If it cannot go on. A recording that cannot be scored is a row.
        """
        ...


class EmbedderHere:
    """Does it in this process, which other ones may prepare recordings for.

    Parameters
    ----------
    engine
        The engine.
    preprocessing
        From the bundle.
    workers
        Processes that read and prepare; 0 does that here too. None takes half as many as there are
        cores, and none for less than `FEW` recordings.
    """

    def __init__(
        self, engine: Engine, preprocessing: PreprocessConfig, workers: int | None = None
    ) -> None:
        self.info = engine.info
        self._engine = engine
        self._preprocessing = preprocessing
        self._workers = workers

    def rows(self, found: Iterable[Found]) -> Generator[RecordResult, None, None]:
        """See `Embedder`."""
        expect_work()
        workers = self._workers
        if workers is None:
            stream = iter(found)
            first = list(islice(stream, FEW))
            found = chain(first, stream)
            # The engine wants the other cores, and takes all that is idle.
            workers = max(1, most_workers() // 2) if len(first) == FEW else 0
        if not workers:
            prepared = prepare_recordings(fetching_ahead(found), self._preprocessing)
            yield from embed_all(prepared, self._engine)
            return
        with (
            Crew(Preparing(self._preprocessing), workers) as crew,
            closing(crew.outcomes(found)) as elsewhere,
            closing(embed_all(elsewhere, self._engine)) as results,
        ):
            yield from results


class EmbedderInWorkers:
    """Does it in processes with an engine each: nothing but paths and rows goes to and fro.

    Parameters
    ----------
    crew
        Of the work `ecgscreen.embedding_job.Embedding`.
    """

    def __init__(self, crew: Crew[RecordResult]) -> None:
        self._crew = crew

    @property
    def info(self) -> EngineInfo:
        """See `Embedder`."""
        engine: EngineInfo = self._crew.greeting
        return engine

    def rows(self, found: Iterable[Found]) -> Generator[RecordResult, None, None]:
        """See `Embedder`."""
        return self._crew.outcomes(found)


@dataclass(frozen=True)
class Preparing:
    """A work of `ecgscreen.serving`: recordings are read and prepared.

    Attributes
    ----------
    config
        From the bundle.
    """

    config: PreprocessConfig

    def begin(self) -> None:
        """Nothing is to be loaded."""

    def outcomes(
        self, tasks: Iterable[Task]
    ) -> Iterator[PreparedRecord | LongRecording | RecordResult]:
        """See `ecgscreen.serving.Work`."""
        return prepare_recordings(tasks, self.config)


def embed_all(
    records: Iterable[PreparedRecord | LongRecording | RecordResult], engine: Engine
) -> Generator[RecordResult, None, None]:
    """Embed a stream of prepared recordings, in its order, while the next ones are prepared.

    Raises
    ------
    EngineError
        If the engine fails.
    """
    waiting: deque[Callable[[NDArray[np.float32]], RecordResult | None]] = deque()

    def windows() -> Iterator[Windows | None]:
        for record in records:
            if isinstance(record, RecordResult):
                waiting.append(partial(_as_it_is, record))
                yield None
            elif isinstance(record, LongRecording):
                preparation = LongPreparation(record)
                for piece in preparation.pieces():
                    waiting.append(preparation.add)
                    yield piece
                waiting.append(preparation.finish)
                yield None
            else:
                waiting.append(record.scored)
                yield _windows(record)

    try:
        for embeddings in embed_stream(engine, windows()):
            row = waiting.popleft()(embeddings)
            if row is not None:
                yield row
    except EngineUnavailableError as error:  # a device that fails, or is taken away
        raise EngineError(error.message, error.advice) from error


def _as_it_is(row: RecordResult, _embeddings: NDArray[np.float32]) -> RecordResult:
    return row


def _windows(record: PreparedRecord) -> Windows:
    windows, lead_mask = record.prepared.windows, record.prepared.lead_mask[np.newaxis]
    return windows, lead_mask if len(windows) == 1 else lead_mask.repeat(len(windows), axis=0)
