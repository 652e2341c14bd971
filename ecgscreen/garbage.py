"""When Python looks for garbage in cycles: not while that would find none.

Each look goes through the containers made since the last one, some through all there are. What is
loaded stays, and is a hundred thousand of them. What no cycle holds is freed at once as ever.
"""

from __future__ import annotations

import gc

_AS_EVER = gc.get_threshold()
_WHILE_LOADING = 20_000


def expect_loading() -> None:
    """Look seldom from now on: a cycle lives until 20,000 more containers are made than freed."""
    gc.set_threshold(_WHILE_LOADING, *_AS_EVER[1:])


def expect_work() -> None:
    """Look as often as ever: a recording that could not be read may be held by a cycle."""
    gc.set_threshold(*_AS_EVER)


def expect_end() -> None:
    """Look at nothing any more: the process's memory is given back as a whole."""
    gc.disable()
    gc.freeze()  # the last look of all is made even so, at what is not frozen
