"""Ctrl-C is exit code 130 without a traceback, also while modules are being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys

module, number, *sys.argv[1:] = sys.argv[1:]

class Finder:
    '''Interrupts the process while a module is imported.'''

    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), int(number))

sys.meta_path.insert(0, Finder())
try:
    from ecgscreen.__main__ import main
    main()
except ImportError:
    sys.exit('swallowed')
"""


def interrupted(module: str, number: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, module, str(int(number)), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("typer", "--help"),
        ("typer.main", "info"),
        ("rich", "calibrate x.csv --labels rhythm.txt --out new"),
        ("ecgscreen.commands.train", "train --help"),
        ("numpy", "info"),
        ("numpy", "scan . --labels rhythm.txt --out new"),
        ("numpy", "show x.hea"),
        ("numpy", "labels check rhythm.txt"),
        ("numpy", "labels show rhythm.txt"),
        ("numpy", "simulate new"),
        ("numpy", "verify"),
        ("numpy", "compile"),
        ("numpy", "calibrate x.csv --labels rhythm.txt --out new"),
        ("numpy", "evaluate ptb-xl ."),
        ("numpy", "evaluate table x.csv"),
        ("torch", "train . --out new"),
    ],
)
def test_an_interrupt_while_modules_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = interrupted(module, signal.SIGINT, *words.split())
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, "", "")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_annotations_are_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import os, signal, sys
from ecgscreen.__main__ import main
import ecgscreen.cli

os.interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)
ecgscreen.cli.app = lambda **_more: eval("__import__('os').interrupt()")
main()
"""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (ExitCode.INTERRUPTED, "")


def test_so_is_a_termination() -> None:
    done = interrupted("numpy", signal.SIGTERM, "info")
    assert (done.returncode, done.stderr) == (ExitCode.TERMINATED, "")


def test_who_ignores_interrupts_goes_on() -> None:
    # As a shell starts what stands before an ampersand.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "numpy", str(int(signal.SIGINT)), "--version"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == ExitCode.OK
