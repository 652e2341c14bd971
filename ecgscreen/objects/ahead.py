"""Fetching recordings before their turn: a request takes longer than reading what it brings."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ecgscreen.found import Found
from ecgscreen.results import RecordResult

RECORDS_AHEAD = 64
"""Recordings under way at once; `ecgscreen.objects.held.AHEAD_BYTES` each bound the memory."""


def fetching_ahead(found: Iterable[Found | RecordResult]) -> Iterator[Found | RecordResult]:
    """Give a stream on, in its order, and begin to fetch what it brings of object storage."""
    waiting: deque[Found | RecordResult] = deque()
    try:
        for one in found:
            waits = isinstance(one, Found) and one.objects is not None
            if not waits and not waiting:
                yield one
                continue
            fetch_ahead(one)
            waiting.append(one)
            if len(waiting) > RECORDS_AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for one in waiting:
            if isinstance(one, Found) and one.objects is not None:
                one.objects.release()


def fetch_ahead(one: Found | RecordResult) -> None:
    """Begin to fetch a recording, if it lies in object storage."""
    if isinstance(one, Found) and one.objects is not None and one.problem is None:
        one.objects.fetch_ahead()
