"""Whether anybody opens a file: asked of the kernel, whatever process or library does it.

The kernel does not say whose open it was. So a test watches files of its own, which nothing else on
the machine knows of, never one of the system's.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path
from typing import Self

_IN_ACCESS, _IN_OPEN = 0x1, 0x20
_EVENT = struct.Struct("iIII")


class Watch:
    """Files and folders that nobody is to open; inotify(7). A context manager."""

    def __init__(self, *paths: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._paths: dict[int, Path] = {}
        for path in paths:
            mask = _IN_OPEN | _IN_ACCESS
            number = libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask)
            if number < 0:
                raise OSError(ctypes.get_errno(), "inotify", str(path))
            self._paths[number] = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._descriptor)

    def opened(self) -> set[Path]:
        """Those of the paths that were opened or read since the last call."""
        found: set[Path] = set()
        while True:
            try:
                events = os.read(self._descriptor, 1 << 16)
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                return found
            position = 0
            while position < len(events):
                number, _, _, length = _EVENT.unpack_from(events, position)
                found.add(self._paths[number])
                position += _EVENT.size + length
