"""Ctrl-C and SIGTERM: one sentence says what is kept and what goes on, whatever is just done."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ecgscreen.errors import ExitCode
from ecgscreen.lock import LOCK
from ecgscreen.run_store import RunStore
from ecgscreen.screening import STORE
from ecgscreen.simulate import write_dataset
from tests.ecgscreen.nights.runs import rows_of

ROOT = Path(__file__).parents[2]
N = 6
BEFORE = "Interrupted before anything was done; the same command begins again.\n"
BY_NUMBER = [
    (signal.SIGINT, ExitCode.INTERRUPTED),
    (signal.SIGTERM, ExitCode.TERMINATED),
]

INTERRUPT = """
import os, signal, sys, time

def interrupt(number=signal.SIGINT):
    os.kill(os.getpid(), number)

def after(where, name, n, then):
    '''Call something each time that a method has returned, from the n-th time on.'''
    method = getattr(where, name)
    calls = iter(range(n - 1))

    def called(*arguments, **named):
        value = method(*arguments, **named)
        if next(calls, None) is None:
            then()
        return value

    setattr(where, name, called)
"""
MAIN = """
from ecgscreen.__main__ import main
sys.argv[0] = 'ecgscreen'
main()
"""
THIRD_DONE = """
from ecgscreen.run_log import RunLog
after(RunLog, 'done', 3, interrupt)
"""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("last-words") / "records"
    write_dataset(folder, N, seed=2, sampling_rate=100.0)
    return folder


@pytest.fixture
def words(bundle_dir: Path, records: Path, tmp_path: Path) -> list[str]:
    """Of a scan in its own process."""
    arguments = ("scan", records, "--labels", "rhythm.txt", "--out", tmp_path / "out")
    return [*map(str, arguments), "--bundle", str(bundle_dir), "--workers", "0"]


@contextmanager
def running(
    words: list[str], program: str = "", stderr: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", f"{INTERRUPT}{program}{MAIN}", *words],
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(words: list[str], program: str, **more: Any) -> tuple[int, str]:
    """Run a command in a program that interrupts it; its exit code and what it said."""
    with running(words, program, **more) as process:
        _, err = process.communicate(timeout=60)
    return process.returncode, err


def kept(words: list[str]) -> int:
    """How many recordings an interrupted scan has left to go on from."""
    store = RunStore.open_unfinished(out_of(words) / STORE)
    assert store is not None
    return store.n_records


def out_of(words: list[str]) -> Path:
    return Path(words[words.index("--out") + 1])


@pytest.mark.parametrize(
    ("number", "code", "fresh"), [(*BY_NUMBER[0], False), (*BY_NUMBER[1], True)]
)
def test_it_says_what_is_kept_and_what_goes_on(
    words: list[str], number: signal.Signals, code: ExitCode, fresh: bool
) -> None:
    program = THIRD_DONE.replace("interrupt)", f"lambda: interrupt({int(number)}))")
    said = ended([*words, *["--fresh"] * fresh], program)
    command = "the same command, without --fresh," if fresh else "the same command"
    assert said == (
        code,
        f"Interrupted: what is done is kept in {out_of(words)} (3 recordings of this run); "
        f"{command} goes on from there.\n",
    )
    assert kept(words) == 3
    assert ended([*words, "--quiet"], "") == (ExitCode.OK, "")
    assert sorted(rows_of(out_of(words)).values()) == [1] * 3 + [2] * (N - 3)


def test_quiet_it_says_nothing(words: list[str]) -> None:
    assert ended([*words, "--quiet"], THIRD_DONE) == (ExitCode.INTERRUPTED, "")
    assert kept(words) == 3


@pytest.mark.parametrize(("number", "code"), BY_NUMBER)
def test_while_it_waits_for_another_run(
    words: list[str], number: signal.Signals, code: ExitCode
) -> None:
    out = out_of(words)
    out.mkdir()
    with (out / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with running([*words, "--wait-lock", "60"]) as process:
            descriptors = Path(f"/proc/{process.pid}/fd")
            while str(out / LOCK) not in {os.path.realpath(each) for each in descriptors.iterdir()}:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (code, BEFORE)


IMPORTING = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == 'h5py':
            {body}

sys.modules.pop('h5py', None)
sys.meta_path.insert(0, Finder())
"""
SWALLOWED = """
try:
                interrupt()
            except SystemExit:
                raise ImportError('h5py') from None
""".strip()


@pytest.mark.parametrize("body", ["interrupt()", SWALLOWED], ids=["raised", "made another"])
def test_while_modules_are_imported_in_the_middle(words: list[str], body: str) -> None:
    """What writes report.h5 is imported when all recordings are done."""
    code, err = ended(words, IMPORTING.format(body=body))
    assert code == ExitCode.INTERRUPTED
    assert err.startswith("Interrupted: what is done is kept in ")
    assert f"({N} recordings of this run)" in err
    assert err.count("\n") == 1
    assert kept(words) == N
    assert not (out_of(words) / "report.csv").exists()


AGAIN = "after(RunStore, 'flush', 1, lambda: [interrupt(), interrupt(signal.SIGTERM)])\n"


def test_more_of_them_while_rows_are_written_lose_none(words: list[str]) -> None:
    program = f"{THIRD_DONE}from ecgscreen.run_store import RunStore\n{AGAIN}"
    code, err = ended(words, program)
    assert (code, err.count("\n")) == (ExitCode.INTERRUPTED, 1)
    assert "(3 recordings of this run)" in err
    assert kept(words) == 3


def test_another_one_while_it_is_said_ends_it_at_once(words: list[str]) -> None:
    program = f"""{THIRD_DONE}
from ecgscreen.commands.last_words import ScanLastWords
after(ScanLastWords, '_sentence', 1, lambda: [interrupt(), time.sleep(60)])
"""
    begun = time.monotonic()
    assert ended(words, program) == (ExitCode.INTERRUPTED, "")
    assert time.monotonic() - begun < 30
    assert kept(words) == 3


HANG = """
def hang():
    print(time.monotonic(), file=sys.stderr)
    try:
        interrupt()
    except SystemExit:  # as a library may do
        time.sleep(60)
"""


def test_a_call_that_does_not_return_does_not_keep_it_from_speaking(words: list[str]) -> None:
    program = HANG + THIRD_DONE.replace("interrupt)", "hang)")
    code, err = ended(words, program)
    ended_at = time.monotonic()
    begun, said = err.split("\n", 1)
    assert code == ExitCode.INTERRUPTED
    assert said == (
        f"Interrupted: what is stored is kept in {out_of(words)}, but for up to a minute's work; "
        "the same command goes on from there.\n"
    )
    assert ended_at - float(begun) < 2.0  # likewise
    assert kept(words) == 0  # three of them were in memory


@pytest.mark.parametrize("reader", ["gone", "not reading"])
def test_nobody_has_to_read_it(words: list[str], reader: str) -> None:
    source, sink = os.pipe()
    if reader == "gone":
        os.close(source)
    else:
        os.set_blocking(sink, False)
        for size in (4096, 1):  # to the last byte: a write of one sentence waits
            try:
                while os.write(sink, b" " * size):
                    pass
            except BlockingIOError:
                pass
        os.set_blocking(sink, True)
    try:
        with running(words, THIRD_DONE, sink) as process:
            assert process.wait(60) == ExitCode.INTERRUPTED
    finally:
        os.close(sink)
    assert kept(words) == 3
