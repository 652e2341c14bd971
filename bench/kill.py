"""Kills scans without warning and resumes them: nothing may be lost, or be there twice.

    python -m bench.kill --kills 100 --records 2000

One scan runs uninterrupted. Then, again and again into a new folder, a scan is killed (SIGKILL, the
command alone: its workers have to notice) at a moment drawn over the whole of its time, and the
same command is run again to the end. Its report.csv must equal the uninterrupted scan's to the byte
and its report.h5 value for value, and no worker may outlive it. ``--again`` kills the resumed scan
too, as often as is said.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from bench.scan import ROOT
from ecgscreen.bundle import default_bundle
from ecgscreen.errors import ExitCode
from ecgscreen.run_store import RunStore
from ecgscreen.screening import STORE
from ecgscreen.simulate import write_dataset

LABELS = "rhythm.txt"
SECONDS_TO_END = 2.0
"""In which the workers of a scan that was killed must be gone."""
_DONE = (ExitCode.OK, ExitCode.SOME_NOT_SCORED)


@dataclass(frozen=True)
class Job:
    """The command that is killed.

    Attributes
    ----------
    records
        The folder of recordings.
    bundle
        The model.
    workers
        Processes that read.
    """

    records: Path
    bundle: Path
    workers: int

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        """Start the command in a session of its own."""
        options = ["--labels", LABELS, "--out", str(out), "--bundle", str(self.bundle), "-q"]
        options += ["--workers", str(self.workers)]
        return subprocess.Popen(
            [sys.executable, "-m", "ecgscreen", "scan", str(self.records), *options],
            cwd=ROOT,
            start_new_session=True,
            stderr=subprocess.PIPE,
        )

    def finish(self, out: Path) -> float:
        """Run the command to its end; returns the seconds it took."""
        begun = time.perf_counter()
        with self.start(out) as process:
            _, message = process.communicate()
        if process.returncode not in _DONE:
            raise SystemExit(f"exit code {process.returncode}: {message.decode()}")
        return time.perf_counter() - begun


@dataclass(frozen=True)
class Outcome:
    """What became of one scan that was killed and resumed.

    Attributes
    ----------
    moment_s
        When it was killed, in seconds after its start; all moments of the kills in a row.
    finished
        Whether it had ended before the last kill came.
    faults
        What was not as it must be; empty where all was.
    """

    moment_s: tuple[float, ...]
    finished: bool
    faults: tuple[str, ...]


def kill_and_resume(job: Job, out: Path, moments_s: Sequence[float], expected: Path) -> Outcome:
    """Kill a scan into `out` at each of some moments, resume it, and compare.

    Parameters
    ----------
    job
        The command.
    out
        Does not exist.
    moments_s
        Seconds after the start of each run that is killed.
    expected
        Folder of the uninterrupted scan's reports.
    """
    faults: list[str] = []
    finished = False
    for moment in moments_s:
        with job.start(out) as process:
            time.sleep(moment)
            finished = process.poll() is not None
            process.send_signal(signal.SIGKILL)
        if not session_ends(process.pid):
            faults.append("a worker outlived the scan")
            os.killpg(process.pid, signal.SIGKILL)
    job.finish(out)
    return Outcome(tuple(moments_s), finished, (*faults, *differences(out, expected)))


def session_ends(session: int) -> bool:
    """Whether the processes of a session are gone in `SECONDS_TO_END`."""
    latest = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < latest:
        if not _members(session):
            return True
        time.sleep(0.02)
    return False


def _members(session: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, its_session = fields[0], int(fields[3])
        if its_session == session and state != "Z":
            found.append(int(folder.name))
    return found


def differences(out: Path, expected: Path) -> list[str]:
    """Say what of the reports in `out` is not as in `expected`, and what lies there beside."""
    found = []
    if (out / "report.csv").read_bytes() != (expected / "report.csv").read_bytes():
        found.append("report.csv differs")
    ours, theirs = (_datasets(folder / "report.h5") for folder in (out, expected))
    if ours.keys() != theirs.keys():
        found.append(f"report.h5 has {sorted(ours)}, not {sorted(theirs)}")
    else:
        found += [f"report.h5: {name} differs" for name in ours if ours[name] != theirs[name]]
    paths = [result.path for result in RunStore.open(out / STORE).iter_results()]
    if len(paths) != len(set(paths)):
        found.append("a recording is twice in the store")
    names = [{path.name for path in folder.iterdir()} for folder in (out, expected)]
    if names[0] != names[1]:
        found.append(f"left behind: {sorted(names[0] ^ names[1])}")
    return found


def _datasets(path: Path) -> dict[str, bytes]:
    """Return the content of every dataset; when a recording was scored differs between runs."""
    found: dict[str, bytes] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            texts = item.dtype.kind == "O"
            value = item.asstr()[()].astype("U") if texts else item[()]
            found[name] = np.asarray(value).tobytes()

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def run(job: Job, folder: Path, kills: int, again: int, seed: int) -> list[Outcome]:
    """Kill `kills` scans, one behind the other.

    Parameters
    ----------
    job
        The command.
    folder
        To work in.
    kills
        How many scans.
    again
        How often a scan is killed before it may end, less one.
    seed
        Of the moments.

    Returns
    -------
    What became of each.
    """
    expected = folder / "uninterrupted"
    took = job.finish(expected)
    print(f"uninterrupted: {took:.1f} s", flush=True)
    draw = random.Random(seed)
    outcomes = []
    for number in range(kills):
        moments = [draw.uniform(0, took) for _ in range(1 + again)]
        with tempfile.TemporaryDirectory(dir=folder) as name:
            outcome = kill_and_resume(job, Path(name) / "out", moments, expected)
        outcomes.append(outcome)
        if outcome.faults:
            print(f"{number}: killed after {outcome.moment_s} s: {'; '.join(outcome.faults)}")
        elif number % 10 == 9:
            print(f"{number + 1} of {kills}", flush=True)
    return outcomes


def main() -> None:
    """Run the campaign, print a table, and exit with 1 where anything was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--faults", type=int, default=20, help="recordings that are unusable")
    parser.add_argument("--again", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        records = Path(name) / "records"
        write_dataset(
            records, arguments.records, seed=1, sampling_rate=100.0, faults=arguments.faults
        )
        job = Job(records, arguments.bundle, arguments.workers)
        outcomes = run(job, Path(name), arguments.kills, arguments.again, arguments.seed)
    bad = sum(bool(outcome.faults) for outcome in outcomes)
    print("| scans killed | of them after their end | reports not equal, or workers left |")
    print("|---|---|---|")
    print(f"| {len(outcomes)} | {sum(outcome.finished for outcome in outcomes)} | {bad} |")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
