"""When Python looks for garbage in cycles: not while that would find none.

Each look goes through the containers made since the last one, some through all there are. What is
loaded stays, and is a hundred thousand of them. What no cycle holds is freed at once as ever.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_AS_EVER = gc.get_threshold()
_WHILE_LOADING = 20_000
_WITH_BLOCKS = 200_000
"""A block of the reports' rows is some tens of thousands, and goes as a whole."""


def expect_loading() -> None:
    """Look seldom from now on: a cycle lives until 20,000 more containers are made than freed."""
    gc.set_threshold(_WHILE_LOADING, *_AS_EVER[1:])


def expect_work() -> None:
    """Look as often as ever: a recording that could not be read may be held by a cycle."""
    gc.set_threshold(*_AS_EVER)


@contextmanager
def expecting_blocks() -> Iterator[None]:
    """Look as good as never in the body, which makes and drops blocks of rows; then as before."""
    before = gc.get_threshold()
    gc.set_threshold(_WITH_BLOCKS, *_AS_EVER[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def expect_end() -> None:
    """Look at nothing any more: the process's memory is given back as a whole."""
    gc.disable()
    gc.freeze()  # the last look of all is made even so, at what is not frozen
