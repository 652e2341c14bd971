"""Runs inputs, one after the other, in a process that may break: ``python -m bench.fuzz_worker``.

Reads a line of JSON a task from standard input, and writes a line before and after every input.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from bench.fuzz_target import Target
from bench.fuzz_watch import Watch
from ecgscreen.readers import limited

CASE = "case"
BAIT = "outside.dat"
_KIB_PER_MB = 1024


def case_rng(kind: str, seed: int, index: int) -> random.Random:
    """Give the generator of an input: the same in every process, whatever ran before."""
    return random.Random(f"{kind}/{seed}/{index}")


def write_case(target: Target, seed: int, index: int, folder: Path) -> Path:
    """Write an input into an empty folder within `folder`, beside a file that is not its own."""
    case = folder / CASE
    shutil.rmtree(case, ignore_errors=True)
    case.mkdir()
    (folder / BAIT).write_bytes(b"\1\2" * 4000)
    target.write(case_rng(target.kind, seed, index), case)
    return case


def targets_of(table: str) -> Mapping[str, Target]:
    """Give the kinds of a module's table by their names."""
    return {target.kind: target for target in import_module(table).TARGETS}


def serve(table: str, folder: Path, say: Callable[[str], None]) -> None:
    """Answer tasks until the other side hangs up."""
    reached: list[str] = []

    def forbid(what: str) -> None:
        reached.append(what)
        raise PermissionError(f"reached for {what}")

    _watch_parsers()
    watch = Watch(folder / CASE, forbid)
    targets = targets_of(table)
    for line in sys.stdin:
        task = json.loads(line)
        target = targets[task["kind"]]
        for index in range(task["first"], task["first"] + task["count"]):
            case = write_case(target, task["seed"], index, folder)
            reached.clear()
            say("begin")
            _forget_peak()
            started = _processor_seconds()
            verdict, why = _run(target, case, watch)
            seconds = _processor_seconds() - started
            if reached:
                verdict, why = "failed", f"reached for {reached[0]}"
            say(json.dumps([verdict, seconds, peak_mb(os.getpid()), child_peak_mb(), why]))
            if verdict == "failed":
                break  # its files stay until the next task


def _run(target: Target, case: Path, watch: Watch) -> tuple[str, str]:
    watch.is_on = True
    try:
        # A warning of numpy's would stand on the user's screen, between the rows.
        warnings.simplefilter("error")
        return ("accepted" if target.run(case) else "refused"), ""
    except Exception:  # whatever it is, it is what we look for
        return "failed", traceback.format_exc()
    finally:
        watch.is_on = False
        warnings.simplefilter("ignore")  # of what writes the inputs


def _watch_parsers() -> None:
    """Have the processes that the program starts for its parsers watched, too."""
    first = "from bench.fuzz_watch import watch_parser; watch_parser(); from ecgscreen.readers"
    limited._START = limited._START.replace("from ecgscreen.readers", first, 1)


def _forget_peak() -> None:
    """Begin to measure the largest memory anew, here and in the parser's process."""
    child = limited._child
    for process in (os.getpid(), *([] if child is None else [child.process_id])):
        try:
            Path(f"/proc/{process}/clear_refs").write_text("5")
        except OSError:
            continue  # a kernel without it: the peak of all inputs so far


def _processor_seconds() -> float:
    """Of this process, the parser's, and those that have ended; a clock measures other work."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = limited._child
    running = 0.0 if child is None else own_processor_seconds(child.process_id)
    return time.process_time() + ended.ru_utime + ended.ru_stime + running


def own_processor_seconds(process: int) -> float:
    """Of a process and those that it has waited for; 0 if it is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_mb(process: int) -> float:
    """The largest memory that a process has had, in MB; 0 if it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    _, found, rest = status.partition("VmHWM:")
    return int(rest.split()[0]) / _KIB_PER_MB if found else 0.0


def child_peak_mb() -> float:
    """The same of the parser's process."""
    return 0.0 if limited._child is None else peak_mb(limited._child.process_id)


def main() -> None:
    """Keep the way to the parent, and give every library one to nowhere."""
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    table, folder = sys.argv[1:]
    with suppress(BrokenPipeError):  # the other side is gone
        serve(table, Path(folder), lambda text: _write(channel, text))


def _write(channel: int, text: str) -> None:
    content = f"{text}\n".encode("utf-8", "backslashreplace")
    while content:
        content = content[os.write(channel, content) :]


if __name__ == "__main__":
    main()
