"""A fuzz campaign: spoiled inputs of every kind, and what became of them.

``python -m bench.fuzz --minutes N`` gives spoiled headers, signals, MATLAB files, lists, bundles,
stores, calibrations, tables and clinical recordings to the program, in a process that is watched.
An input is accepted, or refused with a sentence. All else is a failure: another exception, a
process that dies, 5 s of processor time, 512 MB of memory, a file opened outside the input's
folder, a socket, a program started, a control character or a person's name in a sentence.

The same seed gives the same inputs. Of a failure the files are kept, and it is run again with
``--only KIND --seed S --index I``. Exit code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.fuzz_supervisor import Outcome, Supervisor
from bench.fuzz_target import Target
from bench.fuzz_worker import CASE, targets_of

ROUND = 1000
"""Inputs after which every kind has had its share."""
_COLUMNS = ("kind", "inputs", "accepted", "refused", "failed", "slowest", "largest process")


@dataclass(frozen=True)
class Tally:
    """Of the inputs of one kind; all of them together have indices from 0 on.

    Attributes
    ----------
    inputs, accepted, failed
        Numbers; what is neither accepted nor failed was refused with a sentence.
    slowest
        In seconds of processor time.
    largest_mb
        Memory of the largest process.
    """

    inputs: int = 0
    accepted: int = 0
    failed: int = 0
    slowest: float = 0.0
    largest_mb: float = 0.0

    def with_outcome(self, outcome: Outcome) -> Tally:
        """Count one input more."""
        return Tally(
            self.inputs + 1,
            self.accepted + (outcome.verdict == "accepted"),
            self.failed + (outcome.verdict == "failed"),
            max(self.slowest, outcome.seconds),
            max(self.largest_mb, outcome.peak_mb),
        )

    def row(self, name: str) -> str:
        """A row of the table."""
        refused = self.inputs - self.accepted - self.failed
        counts = (self.inputs, self.accepted, refused, self.failed)
        cells = (name, *(f"{count:,}" for count in counts))
        return f"| {' | '.join(cells)} | {self.slowest:.2f} s | {self.largest_mb:.0f} MB |"


def shares(targets: Iterable[Target], n_inputs: int) -> dict[str, int]:
    """How many of some inputs each kind has: by its share, and at least one."""
    chosen = list(targets)
    total = sum(target.share for target in chosen)
    return {each.kind: max(1, round(n_inputs * each.share / total)) for each in chosen}


def table(tallies: dict[str, Tally]) -> Iterator[str]:
    """The lines of the table, the sum last."""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|" + "---|" * len(_COLUMNS)
    total = Tally()
    for kind, tally in tallies.items():
        yield tally.row(kind)
        total = Tally(
            total.inputs + tally.inputs,
            total.accepted + tally.accepted,
            total.failed + tally.failed,
            max(total.slowest, tally.slowest),
            max(total.largest_mb, tally.largest_mb),
        )
    yield total.row("all")


def keep_failure(outcome: Outcome, folder: Path, failures: Path) -> Path:
    """Keep the files of an input, what is wrong with it, and how to run it again."""
    kept = failures / f"{outcome.kind}-{outcome.seed}-{outcome.index}"
    kept.mkdir(parents=True, exist_ok=True)
    # Not copytree: a pipe would be read.
    for path in (folder / CASE).iterdir():
        if path.is_file() and not path.is_symlink():
            shutil.copy(path, kept / f"input {path.name}"[:250])
    again = f"--only {outcome.kind} --seed {outcome.seed} --index {outcome.index}"
    (kept / "why.txt").write_text(f"python -m bench.fuzz {again}\n\n{outcome.why}\n")
    return kept


def campaign(options: argparse.Namespace, folder: Path) -> dict[str, Tally]:
    """Run rounds of all kinds until the time is over or the inputs are done."""
    state: Path | None = options.state
    targets = targets_of(options.table)
    chosen = [targets[kind] for kind in options.only or targets if kind not in options.skip]
    tallies = {target.kind: Tally() for target in chosen}
    if state is not None and state.exists():
        saved = json.loads(state.read_text(encoding="ascii"))
        tallies |= {kind: Tally(**tally) for kind, tally in saved.items()}
    deadline = time.monotonic() + 60 * options.minutes
    with Supervisor(folder, options.table) as supervisor:
        while time.monotonic() < deadline:
            done = sum(tally.inputs for tally in tallies.values())
            if options.inputs and done >= options.inputs:
                break
            size = min(ROUND, options.inputs - done) if options.inputs else ROUND
            for kind, count in shares(chosen, size).items():
                if time.monotonic() > deadline:
                    break
                first = tallies[kind].inputs
                for outcome in supervisor.run(kind, options.seed, first, count):
                    tallies[kind] = tallies[kind].with_outcome(outcome)
                    if outcome.verdict == "failed":
                        kept = keep_failure(outcome, folder, options.failures)
                        print(f"FAILED {kept}: {outcome.why.splitlines()[-1][:200]}", flush=True)
            if state is not None:
                saved = {kind: asdict(tally) for kind, tally in tallies.items()}
                state.write_text(json.dumps(saved), encoding="ascii")
    return tallies


def run_again(options: argparse.Namespace, folder: Path) -> dict[str, Tally]:
    """Run one input, and say all that is known of it."""
    (kind,) = options.only
    with Supervisor(folder, options.table) as supervisor:
        (outcome,) = supervisor.run(kind, options.seed, options.index, 1)
    if options.failures.is_dir() or outcome.verdict == "failed":
        print(keep_failure(outcome, folder, options.failures))
    print(f"{outcome.verdict} in {outcome.seconds:.3f} s, {outcome.peak_mb:.0f} MB\n{outcome.why}")
    return {kind: Tally().with_outcome(outcome)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print failures as they come, and the table at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="at most, for all kinds")
    parser.add_argument("--inputs", type=int, default=0, help="end after so many; 0: by the time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", metavar="KIND", help="may be repeated")
    parser.add_argument("--skip", action="append", metavar="KIND", default=[])
    parser.add_argument("--index", type=int, help="run this one input of one kind again")
    parser.add_argument("--state", type=Path, help="a file that counts on from the last time")
    parser.add_argument(
        "--failures",
        type=Path,
        default=Path(tempfile.gettempdir()) / "fuzz-failures",
        help="a folder for the inputs that failed (default: %(default)s)",
    )
    parser.add_argument("--table", default="bench.fuzz_kinds", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    # So that the folder in memory goes with the process, and the watched process too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="fuzz-") as folder:
        run = campaign if options.index is None else run_again
        tallies = run(options, Path(folder))
    for line in table(tallies):
        print(line)
    if any(tally.failed for tally in tallies.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
