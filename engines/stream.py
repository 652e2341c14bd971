"""Computing while the caller prepares what comes next: batches in flight, results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engines.base import Engine, require_shape

Windows: TypeAlias = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""float32, shape (N, n_leads, n_samples), any N, and its lead mask, bool, (N, n_leads)."""

MOST_WAITING = 256
"""Items without windows that wait for a batch to fill, or to be done; then it is seen to."""


class Slot(Protocol):
    """Room for one batch, and the runtime's way to run it.

    Attributes
    ----------
    windows
        float32, shape (batch_size, n_leads, n_samples); written before `start`.
    lead_mask
        float32, shape (batch_size, n_leads).
    """

    windows: NDArray[np.float32]
    lead_mask: NDArray[np.float32]

    def start(self) -> None:
        """Begin to embed what the arrays hold; they are left alone until `result`."""
        ...

    def is_done(self) -> bool:
        """Whether `result` would return at once."""
        ...

    def result(self) -> NDArray[np.float32]:
        """Wait; float32, shape (batch_size, D), valid until the next `start`."""
        ...

    def cancel(self) -> None:
        """Give the batch up, and wait until the arrays are free."""
        ...


@runtime_checkable
class ConcurrentEngine(Protocol):
    """An engine that has several batches in flight.

    Attributes
    ----------
    slots
        At least one. They serve one stream at a time, and the one that was started first is the
        first whose result is asked for.
    """

    slots: Sequence[Slot]


def embed_stream(
    engine: Engine, items: Iterable[Windows | None]
) -> Generator[NDArray[np.float32], None, None]:
    """Embed a stream of recordings' windows, in its order.

    A `ConcurrentEngine` computes while the next items are made; another engine in turn with
    them. The stream is read ahead by the batches in flight, and by `MOST_WAITING` items that
    have no windows.

    Parameters
    ----------
    engine
        Any; its batches are filled across the borders of items.
    items
        The windows of an item, or None for one without.

    Yields
    ------
    float32, shape (N, D): unit vectors, a row a window; (0, 0) where there is none.

    Raises
    ------
    ValueError
        If an item's shapes are not those of the encoder.
    """
    stream = _Stream(engine)
    try:
        for item in items:
            stream.add(item)
            yield from stream.done()
        stream.close()
        yield from stream.done()
    finally:
        stream.cancel()


class _Due:
    """An item whose rows are not all there yet."""

    __slots__ = ("missing", "parts")

    def __init__(self, n_rows: int) -> None:
        self.missing = n_rows
        self.parts: list[NDArray[np.float32]] = []

    def take(self, rows: NDArray[np.float32]) -> int:
        """Take what belongs to the item from the front of some rows; returns how many."""
        n = min(self.missing, len(rows))
        if n:
            self.parts.append(rows[:n])
            self.missing -= n
        return n

    def rows(self) -> NDArray[np.float32]:
        if len(self.parts) == 1:
            return self.parts[0]
        return np.concatenate(self.parts) if self.parts else np.empty((0, 0), np.float32)


class _Stream:
    """Fills slots, starts them, and deals their rows to the items in order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slots: Sequence[Slot] = ()
        self._free: deque[Slot] = deque()
        self._running: deque[tuple[Slot, int]] = deque()
        self._filling: Slot | None = None
        self._n_filled = 0
        self._n_without = 0
        self._due: deque[_Due] = deque()

    def add(self, item: Windows | None) -> None:
        if item is None or not len(item[0]):
            self._due.append(_Due(0))
            self._n_without += 1
            if self._n_without == MOST_WAITING:
                self._n_without = 0
                if self._filling is not None:
                    self._start()
                elif self._running:
                    self._finish_oldest()
            return
        windows, lead_mask = item
        if not self._slots:
            self._slots = _slots_of(self._engine, windows)
            self._free.extend(self._slots)
        require_shape(windows, lead_mask, *self._slots[0].windows.shape[1:])
        n_rows, done = len(windows), 0
        self._due.append(_Due(n_rows))
        while done < n_rows:
            slot = self._filling = self._filling or self._next_free()
            rows = slice(self._n_filled, min(len(slot.windows), self._n_filled + n_rows - done))
            n = rows.stop - rows.start
            slot.windows[rows] = windows[done : done + n]
            slot.lead_mask[rows] = lead_mask[done : done + n]
            self._n_filled += n
            done += n
            if self._n_filled == len(slot.windows):
                self._start()

    def close(self) -> None:
        """Run what is left, and wait for all."""
        self._start()
        while self._running:
            self._finish_oldest()

    def done(self) -> Iterator[NDArray[np.float32]]:
        """Yield the items that are complete, as far as they come in order."""
        while self._running and self._running[0][0].is_done():
            self._finish_oldest()
        while self._due and not self._due[0].missing:
            yield self._due.popleft().rows()

    def cancel(self) -> None:
        for slot, _ in self._running:
            slot.cancel()

    def _next_free(self) -> Slot:
        if not self._free:
            self._finish_oldest()
        return self._free.popleft()

    def _start(self) -> None:
        slot = self._filling
        if slot is None:
            return
        # Padding with zeros: a row's result must not depend on what was in the batch before.
        slot.windows[self._n_filled :] = 0
        slot.lead_mask[self._n_filled :] = 0
        slot.start()
        self._running.append((slot, self._n_filled))
        self._filling, self._n_filled = None, 0

    def _finish_oldest(self) -> None:
        slot, n_rows = self._running.popleft()
        rows = slot.result()[:n_rows].copy()
        self._free.append(slot)
        for due in self._due:
            rows = rows[due.take(rows) :]
            if not len(rows):
                break


def _slots_of(engine: Engine, windows: NDArray[np.float32]) -> Sequence[Slot]:
    if isinstance(engine, ConcurrentEngine):
        return engine.slots
    return (_Blocking(engine, *windows.shape[1:]),)


class _Blocking:
    """A slot for an engine that does one thing at a time."""

    def __init__(self, engine: Engine, n_leads: int, n_samples: int) -> None:
        self._engine = engine
        shape = (engine.info.batch_size, n_leads, n_samples)
        self.windows = np.zeros(shape, np.float32)
        self.lead_mask = np.zeros(shape[:2], np.float32)
        self._result: NDArray[np.float32]

    def start(self) -> None:
        self._result = self._engine.embed(self.windows, self.lead_mask > 0)

    def is_done(self) -> bool:
        return True

    def result(self) -> NDArray[np.float32]:
        return self._result

    def cancel(self) -> None:
        """Nothing is ever under way."""
