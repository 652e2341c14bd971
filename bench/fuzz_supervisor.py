"""Watches over the process that runs inputs: time, memory, and that it is still there."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.fuzz_worker import own_processor_seconds, peak_mb

PROCESSOR_LIMIT_S = 5.0
"""For one input, of all processes together: on a busy machine a clock measures its load."""
CLOCK_LIMIT_S = 30.0
"""For an input that waits for something and uses no processor."""
MEMORY_LIMIT_MB = 512.0
_DEADLY_MB = 2048.0
"""A process beyond is ended at once, for the machine's sake."""
_LOOK_EVERY_S = 0.2
_START_LIMIT_S = 120.0


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes
    ----------
    kind, seed, index
        Which one.
    verdict
        ``accepted``, ``refused`` or ``failed``.
    seconds
        Processor time that it took, of all processes; of one that was ended, on the clock.
    peak_mb
        The largest memory of any process meanwhile.
    why
        What is wrong, if it failed.
    """

    kind: str
    seed: int
    index: int
    verdict: str
    seconds: float
    peak_mb: float
    why: str


class Supervisor:
    """One process that runs inputs, and starts again where an input ends it; a context manager.

    Parameters
    ----------
    folder
        Where inputs are written; best in memory. The last one stays there.
    table
        A module with the `TARGETS` to choose from.
    """

    def __init__(self, folder: Path, table: str = "bench.fuzz_kinds") -> None:
        self._folder = folder
        self._table = table
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def run(self, kind: str, seed: int, first: int, count: int) -> Iterator[Outcome]:
        """Run inputs of a kind, from index `first` on; one outcome each, in their order."""
        index = first
        while index < first + count:
            task = {"kind": kind, "seed": seed, "first": index, "count": first + count - index}
            process = self._running()
            assert process.stdin is not None
            process.stdin.write(json.dumps(task).encode() + b"\n")
            process.stdin.flush()
            verdict = ""
            # After a failure the rest is another task, or for another process.
            while index < first + count and verdict != "failed":
                outcome = Outcome(kind, seed, index, *self._outcome(process))
                yield outcome
                verdict = outcome.verdict
                index += 1

    def _outcome(self, process: subprocess.Popen[bytes]) -> tuple[str, float, float, str]:
        if self._line(process, time.monotonic(), _START_LIMIT_S, _START_LIMIT_S) != "begin":
            return ("failed", 0.0, 0.0, self._ended(process, "before it could begin"))
        begun = time.monotonic()
        line = self._line(process, begun, PROCESSOR_LIMIT_S, CLOCK_LIMIT_S)
        if line is None:
            seconds = time.monotonic() - begun
            largest = max(map(peak_mb, (process.pid, *_children(process.pid))))
            return ("failed", seconds, largest, self._ended(process, f"after {seconds:.1f} s"))
        verdict, seconds, own_mb, child_mb, why = json.loads(line)
        largest = max(own_mb, child_mb)
        if largest > MEMORY_LIMIT_MB and verdict != "failed":
            verdict, why = "failed", f"{largest:.0f} MB of memory"
        elif seconds > PROCESSOR_LIMIT_S and verdict != "failed":
            verdict, why = "failed", f"{seconds:.1f} s of processor time"
        if largest > MEMORY_LIMIT_MB:
            self.end()  # what it has kept must not count for the next input
        return verdict, seconds, largest, why

    def _line(
        self,
        process: subprocess.Popen[bytes],
        begun: float,
        processor_limit_s: float,
        clock_limit_s: float,
    ) -> str | None:
        """The next line of the process; None if it is gone, or does not come in time."""
        assert process.stdout is not None
        used = _processor_seconds(process.pid)
        while b"\n" not in self._unread:
            ready, _, _ = select.select([process.stdout], [], [], _LOOK_EVERY_S)
            if ready:
                content = os.read(process.stdout.fileno(), 1 << 16)
                if not content:
                    return None
                self._unread += content
                continue
            now = time.monotonic()
            processes = (process.pid, *_children(process.pid))
            if (
                now - begun > clock_limit_s
                or _processor_seconds(process.pid) - used > processor_limit_s
                or max(map(peak_mb, processes)) > _DEADLY_MB
            ):
                return None
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode("utf-8", "replace")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.fuzz_worker", self._table, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parents[1],
                env=environment,
            )
        return self._process

    def _ended(self, process: subprocess.Popen[bytes], when: str) -> str:
        """End the process, if it has not ended by itself; say how it was."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        code = process.returncode
        self.end()
        if code is None:
            return f"a hang: ended {when}"
        name = signal.Signals(-code).name if code < 0 else f"code {code}"
        return f"the process died of {name} {when}"

    def end(self) -> None:
        """End the process and those that it started; the next input begins another."""
        process, self._process = self._process, None
        self._unread = b""
        if process is None:
            return
        for child in (*_children(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def _children(process: int) -> Sequence[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except OSError:
        return ()
    return [int(child) for child in text.split()]


def _processor_seconds(process: int) -> float:
    """Of a process and its children, those too that have ended."""
    return sum(map(own_processor_seconds, (process, *_children(process))))
