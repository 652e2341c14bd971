"""A scan on a cluster against the plain one: the same report, at what cost, whoever is killed.

    python -m bench.cluster --records 20000 --kills 20 --seed 0

scans the same folder plainly and with ``--cluster local`` in turns, compares report.csv byte for
byte and report.h5 value for value, and prints the median times and their ratio, of the clock and of
the processor: where the machine is shared, the second says more. Then workers of a
``--cluster local`` are killed (SIGKILL) at moments drawn over the time of a scan, in as many scans
as that takes, and each report is compared as well.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.kill import differences
from bench.linked_records import write_linked
from bench.scan import LABELS, ROOT

MOST_OVERHEAD = 0.25


def start(records: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a scan."""
    command = [sys.executable, "-m", "ecgscreen", "scan", str(records), "--labels", LABELS]
    return subprocess.Popen([*command, "--out", str(out), "-q", *options], cwd=ROOT)


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a scan whose recordings are all good."""
    if process.wait() != 0:
        raise SystemExit(f"a scan ended with exit code {process.returncode}")


def workers_of(parent: int) -> list[int]:
    """Process numbers of the workers that a ``--cluster local`` has now."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            is_worker = b"distributed.cli.dask_worker" in (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == parent and fields[0] != "Z" and is_worker:
            found.append(int(folder.name))
    return found


class Times(NamedTuple):
    """What scans of one kind took, in seconds; medians."""

    clock: float
    processor: float


def time_both(records: Path, folder: Path, rounds: int) -> tuple[Times, Times]:
    """Scan plainly and on a cluster in turns."""
    took: dict[str, list[Times]] = {"plain": [], "cluster": []}
    for number in range(rounds):
        for name, options in (("plain", ()), ("cluster", ("--cluster", "local"))):
            begun, spent = time.perf_counter(), _of_children()
            finish(start(records, folder / f"{name}{number}", *options))
            took[name].append(Times(time.perf_counter() - begun, _of_children() - spent))
    plain, cluster = (
        Times(*map(statistics.median, zip(*took[name], strict=True)))
        for name in ("plain", "cluster")
    )
    return plain, cluster


def _of_children() -> float:
    """Processor seconds of scans that have ended, and of their workers."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def scan_with_kills(records: Path, out: Path, took: float, kills: int, seed: int) -> int:
    """Scan on a cluster and kill workers of it at random moments; returns how many were."""
    draw = random.Random(seed)
    moments = sorted(draw.uniform(0, took) for _ in range(kills))
    begun = time.monotonic()
    n_killed = 0
    process = start(records, out, "--cluster", "local")
    for moment in moments:
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        if process.poll() is not None:
            break
        if workers := workers_of(process.pid):
            os.kill(draw.choice(workers), signal.SIGKILL)
            n_killed += 1
    finish(process)
    return n_killed


def main() -> None:
    """Measure, print, and exit with 1 where a report differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kills-a-scan", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the first scan")
    parser.add_argument("--folder", type=Path, help="to work in; emptied again")
    arguments = parser.parse_args()
    found: list[str] = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        records = write_linked(folder / "records", arguments.records, 100.0)
        plain, cluster = time_both(records, folder, arguments.rounds)
        found += differences(folder / "cluster0", folder / "plain0")
        print("| time | plain, s | --cluster local, s | overhead | wanted |")
        print("|---|---|---|---|---|")
        for what in Times._fields:
            here, there = getattr(plain, what), getattr(cluster, what)
            wanted = f"at most {MOST_OVERHEAD:.0%}"
            print(f"| {what} | {here:.1f} | {there:.1f} | {there / here - 1:+.0%} | {wanted} |")
        sys.stdout.flush()
        n_killed = n_scans = 0
        while n_killed < arguments.kills:
            out = folder / f"killed{n_scans}"
            seed = arguments.seed + n_scans
            killed = scan_with_kills(records, out, cluster.clock, arguments.kills_a_scan, seed)
            found += differences(out, folder / "plain0")
            n_killed, n_scans = n_killed + killed, n_scans + 1
            print(f"{n_killed} workers killed in {n_scans} scans; {len(found)} differences")
    print("\n".join(found))
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
