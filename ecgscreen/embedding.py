"""Steps 2 to 5 of a scan: recordings become rows, read, prepared and embedded as a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgscreen.discover import Found
from ecgscreen.errors import EngineError
from ecgscreen.long_recording import LongPreparation, LongRecording
from ecgscreen.preparation import PreparedRecord
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.results import RecordResult
from ecgscreen.workers import prepare_all
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


@dataclass(frozen=True)
class EmbedderHere:
    """Does it on this machine.

    Attributes
    ----------
    engine
        The engine.
    preprocessing
        From the bundle.
    workers
        See `ecgscreen.workers.prepare_all`.
    """

    engine: Engine
    preprocessing: PreprocessConfig
    workers: int | None = None

    @property
    def info(self) -> EngineInfo:
        """See `Embedder`."""
        return self.engine.info

    def rows(self, found: Iterable[Found]) -> Generator[RecordResult, None, None]:
        """See `Embedder`; in the stream's order."""
        with (
            closing(prepare_all(found, self.preprocessing, self.workers)) as prepared,
            closing(embed_all(prepared, self.engine)) as results,
        ):
            yield from results


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
    windows = record.prepared.windows
    return windows, record.prepared.lead_mask[np.newaxis].repeat(len(windows), axis=0)
