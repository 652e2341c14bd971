"""The other side of `ecgscreen.readers.limited`: runs in the child process."""

from __future__ import annotations

import json
import logging
import os
import resource
import socket
import struct
import sys
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ecgscreen.acquired import acquired_text
from ecgscreen.readers.signals import LongSignals, Signals, inferred_unit, recording_of
from ecgscreen.recording import RecordingError, SkipReason

MEMORY_LIMIT_BYTES = 4 << 30
"""Of address space, all of Python included."""

SPARE_BYTES, BYTES_PER_FILE_BYTE = 256 << 20, 48
"""A recording gets the first and so many bytes a byte of its file, up to the limit: what is small
cannot become large."""

CPU_LIMIT_S = 60
"""For one recording; ends a parser that hangs even if nobody waits for it any more."""

_MODULES = frozenset({"dicom", "edf", "hdf5_layouts", "ishne", "vendor"})

_WHAT_PARSERS_RAISE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NameError,
    OSError,
    RecursionError,
    RuntimeError,
    SyntaxError,  # of XML: xml.etree.ElementTree.ParseError
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)
"""On content that they do not expect."""


def serve(connection: int) -> None:
    """Answer requests until the other side hangs up.

    Parameters
    ----------
    connection
        Descriptor of a socket; a request is a line of JSON with a file's descriptor.
    """
    _limit()
    # pydicom imports it where it can, and with it comes a request for an internet socket.
    sys.modules["requests"] = None  # type: ignore[assignment]  # documented way to block an import
    logging.disable()
    warnings.simplefilter("ignore")
    with socket.socket(fileno=connection) as channel:
        while True:
            line, descriptors, _, _ = socket.recv_fds(channel, 1 << 16, 1)
            if not line or not descriptors:
                return
            try:
                reply, samples = _answer(json.loads(line), descriptors[0])
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            text = json.dumps(reply).encode()
            channel.sendall(struct.pack(">QQ", len(text), samples.nbytes) + text)
            channel.sendall(samples)


_opened: tuple[tuple[int, ...], LongSignals] | None = None
"""The file that is read in pieces, and how: its header need not be read for each of them."""


def _piece(parser: Any, path: str, request: Mapping[str, str]) -> tuple[LongSignals, Signals]:
    """A file that is read in pieces, and the samples that are asked for."""
    global _opened  # noqa: PLW0603 - one file after another
    status = Path(path).stat()
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if _opened is None or _opened[0] != key:
        _opened = (key, parser.open_long(path))
    long = _opened[1]
    start, stop = (min(int(request[name]), long.n_samples) for name in ("start", "stop"))
    signals = long.piece(path, start, stop)
    if unit := request["unit"]:  # inferred from the beginning: the same for all pieces
        signals = replace(signals, units=(unit,) * len(signals.units))
    return long, signals


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump holds a patient's data
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def _memory_limit(file_bytes: int) -> int:
    """Of address space, for a recording of this size: beyond what the process has already."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    own = pages * resource.getpagesize()
    return min(MEMORY_LIMIT_BYTES, own + SPARE_BYTES + BYTES_PER_FILE_BYTE * file_bytes)


def _answer(
    request: Mapping[str, str], descriptor: int
) -> tuple[dict[str, object], memoryview[int]]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_LIMIT_S, hard))
    nothing = memoryview(b"")
    memory = _memory_limit(os.fstat(descriptor).st_size)
    resource.setrlimit(resource.RLIMIT_AS, (memory, MEMORY_LIMIT_BYTES))
    try:
        if request["module"] not in _MODULES:
            raise RecordingError(SkipReason.UNSUPPORTED, "no such parser")
        parser = import_module(f"ecgscreen.readers.{request['module']}")
        path = f"/proc/self/fd/{descriptor}"
        if request["call"] == "members":
            return {"members": parser.members(path)}, nothing
        more: dict[str, object] = {}
        if request["call"] == "read":
            signals: Signals = parser.read(path, request["member"])
        else:
            long, signals = _piece(parser, path, request)
            if request["call"] == "open":
                more = {"n_samples": long.n_samples, "unit": inferred_unit(signals)}
        recording = recording_of(signals, Path("recording"))
    except RecordingError as error:
        return {"reason": error.reason.value, "detail": error.detail}, nothing
    except MemoryError:
        return {
            "reason": SkipReason.TOO_LARGE.value,
            "detail": f"its parser wants more than {memory >> 20} MiB of memory",
        }, nothing
    except _WHAT_PARSERS_RAISE as error:
        # The message may quote the file: its type is all that is told.
        return {
            "reason": SkipReason.BAD_CONTENT.value,
            "detail": f"its parser refused it ({type(error).__name__})",
        }, nothing
    return {
        **more,
        "shape": recording.signal.shape,
        "sampling_rate": recording.sampling_rate,
        "lead_names": recording.lead_names,
        "amplitude_known": recording.amplitude_known,
        "notes": recording.notes,
        "acquired": acquired_text(recording.acquired),
    }, memoryview(recording.signal.tobytes())
