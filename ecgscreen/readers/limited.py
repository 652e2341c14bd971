"""Parsers of others, in a process of their own: limited in memory and time, and silent.

A parser for a format that dozens of devices write is much code that never expected an enemy.
It runs in one child process, kept as long as it behaves. The file is opened and checked
here and travels as a descriptor; a recording comes back as JSON and numbers, never as
pickled objects, and is checked again. What the parsers print or log may hold names of patients:
the child has no output.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.acquired import plausible
from ecgscreen.readers.base import check_sampling_rate, check_size, safe_text
from ecgscreen.readers.files import InsideFile
from ecgscreen.recording import LEADS, Recording, RecordingError, SkipReason

TIME_LIMIT_S = 60.0
"""For one recording. On an idle machine a large one takes some seconds."""

MAX_FILE_BYTES = 1 << 30
"""Of a file that is given to a parser."""

BEGINNING_SAMPLES = 1 << 16
"""Of each lead, of a recording that is opened: enough to tell its unit."""

_MAX_REPLY_BYTES = 1 << 26
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from ecgscreen.readers.limited_worker import serve; serve(int(sys.argv[2]))"
)
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HDF5_PLUGIN_PRELOAD": "::",  # no code from a plugin folder for a filter that a file names
    "HDF5_USE_FILE_LOCKING": "FALSE",
}


def read_limited(module: str, file: InsideFile, path: Path, member: str = "") -> Recording:
    """Read a recording with a parser that is not ours to trust.

    Parameters
    ----------
    module
        Of `ecgscreen.readers`, with a function ``read(path, member)``.
    file
        The file, open.
    path
        The path that the recording is known by.
    member
        Which of the file's recordings, where it holds several.

    Raises
    ------
    RecordingError
        With the reason: the parser's own, TOOK_TOO_LONG, TOO_LARGE if it wanted too much
        memory, or BAD_CONTENT if it broke.
    """
    reply, samples = _ask(_request(module, "read", member=member), file)
    try:
        recording = _recording(reply, samples, path)
    except (KeyError, TypeError, ValueError) as error:
        raise _broken("its parser's reply is no recording") from error
    return recording


@dataclass(frozen=True)
class Opened:
    """A recording that is read in pieces.

    Attributes
    ----------
    whole
        Everything of it but the signal, which is its beginning here.
    n_samples
        Of each lead.
    unit
        That it is taken to have, where its file names none; else empty.
    """

    whole: Recording
    n_samples: int
    unit: str


def open_limited(module: str, file: InsideFile, path: Path) -> Opened:
    """Open a recording to be read in pieces.

    Parameters
    ----------
    module
        Of `ecgscreen.readers`, with a function ``open_long(path)``.
    file, path
        As for `read_limited`.

    Raises
    ------
    RecordingError
        As `read_limited`.
    """
    reply, samples = _ask(_request(module, "open", stop=BEGINNING_SAMPLES), file)
    try:
        return Opened(_recording(reply, samples, path), int(reply["n_samples"]), str(reply["unit"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _broken("its parser's reply is no recording") from error


def piece_limited(
    module: str, file: InsideFile, opened: Opened, start: int, stop: int
) -> NDArray[np.float32]:
    """Read the samples of a recording from a first one up to another.

    Returns
    -------
    float32, shape (n_leads, stop - start), in mV where the unit is a voltage.

    Raises
    ------
    RecordingError
        As `read_limited`, and BAD_CONTENT if it is another recording than a moment ago.
    """
    reply, samples = _ask(_request(module, "piece", start, stop, opened.unit), file)
    try:
        piece = _recording(reply, samples, opened.whole.path)
    except (KeyError, TypeError, ValueError) as error:
        raise _broken("its parser's reply is no recording") from error
    expected = (opened.whole.lead_names, stop - start)
    if (piece.lead_names, piece.signal.shape[1]) != expected:
        raise _broken("it is another recording than a moment ago")
    return piece.signal


def _request(
    module: str, call: str, start: int = 0, stop: int = 0, unit: str = "", member: str = ""
) -> dict[str, str]:
    return {
        "module": module,
        "call": call,
        "member": member,
        "start": str(start),
        "stop": str(stop),
        "unit": unit,
    }


def _recording(reply: dict[str, Any], samples: bytearray, path: Path) -> Recording:
    """Trust nothing of what the child says: a parser may have been taken over by a file."""
    n_leads, n_samples = map(int, reply["shape"])
    names = tuple(map(str, reply["lead_names"]))
    check_size(n_leads, n_samples)
    acquired = str(reply["acquired"])
    if len(names) != n_leads or len({*names} & {*LEADS}) != n_leads:
        raise ValueError("expected leads of the twelve")
    return Recording(
        path,
        np.frombuffer(samples, np.float32).reshape(n_leads, n_samples),
        check_sampling_rate(float(reply["sampling_rate"])),
        names,
        bool(reply["amplitude_known"]),
        tuple(safe_text(str(note)) for note in reply["notes"]),
        plausible(datetime.fromisoformat(acquired) if acquired else None),
    )


def members_limited(module: str, file: InsideFile) -> list[str]:
    """Name the recordings of a file; an empty name for the only one, nothing if it has none.

    Parameters
    ----------
    module
        Of `ecgscreen.readers`, with a function ``members(path)``.
    file
        The file, open.

    Raises
    ------
    RecordingError
        As `read_limited`.
    """
    reply, _ = _ask(_request(module, "members"), file)
    members = reply.get("members")
    if not isinstance(members, list):
        raise _broken("its parser's reply is no list")
    return [str(name) for name in members]


def require_package(package: str, name: str) -> None:
    """Say how to get the package that reads a format, if it is not installed.

    Parameters
    ----------
    package
        As it is imported.
    name
        Of the format.

    Raises
    ------
    RecordingError
        MISSING_PACKAGE.
    """
    if find_spec(package) is None:
        raise RecordingError(
            SkipReason.MISSING_PACKAGE,
            f"{name} is read with {package}: install ecgscreen[clinical]",
        )


class _Child:
    """The process with the parsers, and the socket that leads to it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._socket, theirs = socket.socketpair()
        with theirs:
            path = json.dumps([entry or str(Path.cwd()) for entry in sys.path])
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
                [sys.executable, "-I", "-B", "-c", _START, path, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal is for the parent
                env=os.environ | _QUIET,
            )

    @property
    def process_id(self) -> int:
        """Of the child."""
        return self._process.pid

    def ask(self, request: dict[str, str], descriptor: int) -> tuple[dict[str, Any], bytearray]:
        """Send a request with a file; give the reply's JSON and what follows it."""
        deadline = time.monotonic() + TIME_LIMIT_S
        self._socket.settimeout(TIME_LIMIT_S)
        socket.send_fds(self._socket, [json.dumps(request).encode() + b"\n"], [descriptor])
        sizes = self._receive(16, deadline)
        n_reply, n_samples = (int.from_bytes(part, "big") for part in (sizes[:8], sizes[8:]))
        if n_reply > _MAX_REPLY_BYTES or n_samples > MAX_FILE_BYTES:
            raise _broken("its reply is longer than any recording's")
        reply = json.loads(bytes(self._receive(n_reply, deadline)))
        return reply, self._receive(n_samples, deadline)

    def _receive(self, n_bytes: int, deadline: float) -> bytearray:
        content = bytearray(n_bytes)
        view, n_read = memoryview(content), 0
        while n_read < n_bytes:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            n_new = self._socket.recv_into(view[n_read:])
            if not n_new:
                raise EOFError
            n_read += n_new
        return content

    def end(self) -> int:
        """Kill it; give the code that it ended with, if it had ended before."""
        self._socket.close()
        try:
            # A child that died has closed its socket a moment before it can be waited for.
            code = self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            code = 0
            self._process.kill()
            self._process.wait()
        return code


_lock = Lock()
_child: _Child | None = None


def _ask(request: dict[str, str], file: InsideFile) -> tuple[dict[str, Any], bytearray]:
    if file.size > MAX_FILE_BYTES:
        raise RecordingError(
            SkipReason.TOO_LARGE, f"{file.size} bytes, the limit is {MAX_FILE_BYTES}"
        )
    with _lock:
        child = _running_child()
        try:
            reply, samples = child.ask(request, file.descriptor)
        except TimeoutError as error:
            end_child()
            raise RecordingError(
                SkipReason.TOOK_TOO_LONG, f"its parser was ended after {TIME_LIMIT_S:g} s"
            ) from error
        except (OSError, EOFError, ValueError, RecordingError) as error:
            code = end_child()
            raise _broken(f"its parser ended with code {code}") from error
    if "reason" in reply:
        raise RecordingError(SkipReason(reply["reason"]), safe_text(str(reply.get("detail"))))
    return reply, samples


def _running_child() -> _Child:
    global _child  # noqa: PLW0603 - one child a process, whichever reader asks first
    # After a fork the child is another process's.
    if _child is None or _child.owner != os.getpid():
        _child = _Child()
    return _child


def end_child() -> int:
    """End the process with the parsers; the next recording starts another.

    Returns
    -------
    The code that it had ended with by itself, else 0.
    """
    global _child
    child, _child = _child, None
    return child.end() if child is not None and child.owner == os.getpid() else 0


atexit.register(end_child)


def _broken(detail: str) -> RecordingError:
    return RecordingError(SkipReason.BAD_CONTENT, detail)
