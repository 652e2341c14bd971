"""Workers that are copies of their parent, as a scan's are: started while it has one thread."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ecgscreen.simulate import write_dataset

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is copied")

CREW = """
import json, os, signal, sys, threading
from multiprocessing import active_children
from pathlib import Path

from ecgscreen.discover import Discovery
from ecgscreen.embedding import Preparing
from ecgscreen.interrupts import catch_interrupts
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.workers import Crew

def command(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()

def are_copies():
    return [command(one.pid) == command("self") for one in active_children()]

def n_rows(crew):
    return len(list(crew.outcomes(Discovery([Path(sys.argv[1])]))))

def say(**what):
    print(json.dumps(what), flush=True)

catch_interrupts()
work = Preparing(PreprocessConfig())
"""
"""What a program begins with that has no thread but its own, which this process has."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records")
    write_dataset(path, 6, seed=4, sampling_rate=100.0)
    return path


def said(program: str, folder: Path, code: int = 0) -> list[dict[str, Any]]:
    """What a program says, which prints nothing else and ends so."""
    done = subprocess.run(
        [sys.executable, "-c", CREW + program, str(folder)],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_they_do_the_work_and_are_ended(folder: Path) -> None:
    program = """
with Crew(work, 3, copies=True) as crew:
    say(copies=are_copies(), rows=n_rows(crew))
say(left=len(active_children()))
"""
    assert said(program, folder) == [{"copies": [True] * 3, "rows": 6}, {"left": 0}]


def test_none_is_made_unless_asked_for_nor_beside_another_thread(folder: Path) -> None:
    program = """
with Crew(work, 1) as crew:
    say(copies=are_copies(), rows=n_rows(crew))
other = threading.Event()
threading.Thread(target=other.wait).start()
with Crew(work, 1, copies=True) as crew:
    say(copies=are_copies(), rows=n_rows(crew))
other.set()
"""
    assert said(program, folder) == [{"copies": [False], "rows": 6}] * 2


def test_one_that_died_is_replaced_by_one_from_nothing(folder: Path) -> None:
    program = """
with Crew(work, 1, copies=True) as crew:
    (one,) = active_children()
    one.kill()
    one.join()
    say(rows=n_rows(crew), copies=are_copies())
"""
    assert said(program, folder) == [{"rows": 6, "copies": [False]}]


def test_each_ends_at_once_and_silently_when_it_is_told_to(folder: Path) -> None:
    program = """
with Crew(work, 2, copies=True) as crew:
    for one in active_children():
        os.kill(one.pid, signal.SIGINT)  # not for them
        os.kill(one.pid, signal.SIGTERM)
        one.join(5)
        say(code=one.exitcode)
"""
    assert said(program, folder) == [{"code": -signal.SIGTERM}] * 2


def test_none_outlives_a_parent_that_is_killed(folder: Path) -> None:
    """Each has the other pipes' ends no more: else they would keep one another alive."""
    program = """
crew = Crew(work, 3, copies=True)
crew.greeting
say(pids=[one.pid for one in active_children()])
os.kill(os.getpid(), signal.SIGKILL)
"""
    (line,) = said(program, folder, code=-signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in line["pids"]):
        assert time.monotonic() < deadline, "they wait for ever"
        time.sleep(0.02)


def test_garbage_is_looked_for_as_ever_while_recordings_are_read(folder: Path) -> None:
    """Though their parent looks seldom, as it loads modules when they are made."""
    program = """
import gc
from ecgscreen.garbage import expect_loading

class Noting(Preparing):
    def outcomes(self, tasks):
        say(enabled=gc.isenabled(), threshold=gc.get_threshold())
        return super().outcomes(tasks)

as_ever = gc.get_threshold()
gc.disable()
expect_loading()
with Crew(Noting(work.config), 1, copies=True) as crew:
    say(copies=are_copies(), rows=n_rows(crew))
say(threshold=as_ever)
"""
    noted, rows, as_ever = said(program, folder)
    assert rows == {"copies": [True], "rows": 6}
    assert noted == {"enabled": True, **as_ever}


def test_a_scan_embeds_in_copies_of_its_own(folder: Path, bundle_dir: Path, tmp_path: Path) -> None:
    program = """
import ecgscreen.workers
from ecgscreen.cli import main

end_all = ecgscreen.workers.end_all
def noted(processes):
    if processes:
        say(copies=are_copies())
    end_all(processes)
ecgscreen.workers.end_all = noted
sys.argv[1:] = sys.argv[2:]
main()
"""
    arguments = (
        *("scan", folder, "--labels", "superclass", "--bundle", bundle_dir, "-q"),
        *("--out", tmp_path / "out", "--workers", "2"),
    )
    done = subprocess.run(
        [sys.executable, "-c", CREW + program, "", *map(str, arguments)],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[0]) == {"copies": [True] * 2}
    assert (tmp_path / "out" / "report.csv").read_text().count("\n") == 7
