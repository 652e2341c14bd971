"""How fast a scan is, against the engine alone and against a plain script, in one run.

``python -m bench.scan`` prints a Markdown table of ratios, each with what it is to be at least
(or at most, where "<=" stands). What is compared is measured in turns, and the medians are taken.
It takes ten minutes, and means little while the machine does something else; `--small` only
shows that everything runs. Everything is on files in the page cache, and on all cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

# As the command does: its matrix products are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from bench.linked_records import write_linked
from ecgscreen.bundle import default_bundle, load_bundle
from ecgscreen.readers import read_recording
from ecgscreen.scoring import flags, quantise_directions, score
from engines.base import Engine
from engines.processor import usable_cores
from engines.select import load_engine

ROOT = Path(__file__).parents[1]
LABELS = "rhythm"
N_DIAGNOSES, EMBEDDING_SIZE = 71, 128


@dataclass(frozen=True)
class Size:
    """How much is measured: recordings, rows, rounds."""

    slow: int
    fast: int
    plain: int
    windows: int
    embeddings: int
    rounds: int


FULL = Size(slow=20_000, fast=5_000, plain=1_000, windows=4_096, embeddings=1_000_000, rounds=5)
SMALL = Size(slow=40, fast=20, plain=16, windows=32, embeddings=2_000, rounds=1)


@dataclass(frozen=True)
class Row:
    """A line of the table; `wanted` is the least ratio, or the largest number where negative."""

    what: str
    measured: str
    against: str
    ratio: float
    wanted: float
    unit: str = " x"

    def __str__(self) -> str:
        sign = "<= " if self.wanted < 0 else ""
        met = self.ratio <= -self.wanted if self.wanted < 0 else self.ratio >= self.wanted
        return (
            f"| {self.what} | {self.measured} | {self.against} | {self.ratio:.3g}{self.unit} "
            f"| {sign}{abs(self.wanted):g}{self.unit} | {'yes' if met else 'NO'} |"
        )


@dataclass(frozen=True)
class Bench:
    """Where it is measured, and how much."""

    folder: Path
    bundle: Path
    size: Size

    def rows(self) -> Iterator[Row]:
        """Measure, and yield a row as it is known."""
        yield from self.reading()
        yield self.engines()
        yield from self.scans()
        yield self.help()
        yield self.ten()
        yield self.scoring()

    def reading(self) -> Iterator[Row]:
        """Against wfdb, as `bench.reader` measures it."""
        import wfdb

        from bench.reader import processor_seconds, write_records

        for n_samples, wanted in ((5000, 20.0), (1000, 50.0)):
            folder = self.folder / f"reader{n_samples}"
            folder.mkdir()
            ours, theirs = processor_seconds(
                write_records(folder, n_samples),
                [read_recording, lambda path: wfdb.rdrecord(str(path.with_suffix("")))],
                5 * self.size.rounds,
            )
            yield Row(
                f"reading WFDB format 16, 12 x {n_samples}",
                f"{ours * 1e6:.0f} us",
                f"wfdb.rdrecord {theirs * 1e3:.2f} ms",
                theirs / ours,
                wanted,
            )

    def engines(self) -> Row:
        """The default engine at its own precision against eager PyTorch, same threads."""
        cores = usable_cores()
        fast = self._load("openvino", "auto", cores)
        slow = self._load("pytorch", "f32", cores)
        n = self.size.windows
        ours, theirs = in_turns(
            [lambda: embed(fast, n), lambda: embed(slow, max(32, n // 8))], self.size.rounds
        )
        return Row(
            f"openvino {fast.info.precision}, {cores} threads",
            f"{ours:.0f} records/s",
            f"pytorch f32 eager {theirs:.0f}/s",
            ours / theirs,
            3.0 if fast.info.precision == "bf16" else 1.2,
        )

    def scans(self) -> Iterator[Row]:
        """The whole command against the engine alone, and against the plain script."""
        engine = self._load("openvino", "auto", 0)
        for rate, count in ((100, self.size.slow), (500, self.size.fast)):
            records = write_linked(self.folder / f"at{rate}", count, float(rate))
            starts: list[float] = []
            alone, whole, plain = in_turns(
                [
                    # For about as long as a scan takes: what else a machine does comes in bursts.
                    lambda: embed(engine, self.size.windows, times=4),
                    partial(self.scan_rate, records, count),
                    partial(self.plain, records, starts),
                ],
                self.size.rounds,
            )
            # Both are whole processes. A part of the recordings tells how long the script takes for
            # one, once it has started.
            script = count / (median(starts) + count / plain)
            what = f"scan of {count:,} records at {rate} Hz, {whole:.0f} records/s"
            if rate == 100:
                yield Row(what, "all reports", f"engine alone {alone:.0f}/s", whole / alone, 0.7)
            against = (
                f"plain script {script:.0f}/s (without its start of {median(starts):.1f} s "
                f"{plain:.0f}/s, {whole / plain:.3g} x)"
            )
            yield Row(what, "all reports", against, whole / script, 8.0)

    def help(self) -> Row:
        """The time to show the help, more than that of an interpreter that does nothing."""
        command = [sys.executable, "-m", "ecgscreen", "--help"]
        nothing = [sys.executable, "-c", "pass"]
        ours, theirs = in_turns(
            [lambda: seconds(command), lambda: seconds(nothing)], 5 * self.size.rounds
        )
        return Row(
            "ecgscreen --help", f"{ours:.2f} s", f"python -c pass {theirs:.2f} s",
            ours - theirs, -0.25, " s",
        )  # fmt: skip

    def ten(self) -> Row:
        """A scan of ten records, known labels, whole process."""
        records = write_linked(self.folder / "ten", 10, 100.0)
        (took,) = in_turns([lambda: self.scan(records)], 3 * self.size.rounds)
        return Row("scan of 10 records, whole process", f"{took:.2f} s", "", took, -1.5, " s")

    def scoring(self) -> Row:
        """Exact scores and flags of stored embeddings against a float32 product, one thread."""
        rng = np.random.default_rng(0)
        rows = rng.standard_normal((self.size.embeddings, EMBEDDING_SIZE), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        stored = rows.astype(np.float16)
        directions = quantise_directions(rng.standard_normal((N_DIAGNOSES, EMBEDDING_SIZE)))
        columns = directions.T.astype(np.float32)
        thresholds = np.full(N_DIAGNOSES, 0.1)
        ours, theirs = in_turns(
            [
                lambda: timed(lambda: flags(score(stored, directions), thresholds)),
                lambda: timed(lambda: rows @ columns),
            ],
            2 * self.size.rounds + 1,
        )
        return Row(
            f"scores and flags, {N_DIAGNOSES} diagnoses, {self.size.embeddings:,} embeddings",
            f"{ours:.3f} s",
            f"numpy float32 matmul {theirs:.3f} s",
            ours / theirs,
            -3.0,
        )

    def scan(self, records: Path) -> float:
        """Seconds of the whole command."""
        # A new folder each time: what is there already would not be done again.
        out = Path(tempfile.mkdtemp(dir=self.folder))
        options = ["--labels", LABELS, "--out", str(out), "--bundle", str(self.bundle), "-q"]
        return seconds([sys.executable, "-m", "ecgscreen", "scan", str(records), *options])

    def scan_rate(self, records: Path, count: int) -> float:
        """Records a second of the whole command."""
        return count / self.scan(records)

    def plain(self, records: Path, starts: list[float]) -> float:
        """Records a second of the plain script, without its start, whose seconds are noted."""
        options = ["--bundle", str(self.bundle), "--most", str(self.size.plain)]
        begun = time.perf_counter()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "bench.plain_script", str(records), LABELS),
                *(str(self.folder / "plain.csv"), *options),
            ],
            check=True, capture_output=True, text=True, env=_without_limits(), cwd=ROOT,
        )  # fmt: skip
        whole_s = time.perf_counter() - begun
        count, took = done.stdout.split()
        starts.append(whole_s - float(took))
        return int(count) / float(took)

    def _load(self, name: str, precision: str, threads: int) -> Engine:
        onnx = load_bundle(self.bundle).encoder_onnx
        return load_engine(name, onnx, precision=precision, threads=threads)


def in_turns(measures: list[Callable[[], float]], rounds: int) -> list[float]:
    """Measure one after the other, `rounds` times; the median of each."""
    found = [[measure() for measure in measures] for _ in range(rounds)]
    return [median(values) for values in zip(*found, strict=True)]


def embed(engine: Engine, n_windows: int, times: int = 1) -> float:
    """Windows a second of an engine, on arrays that are there, so many times."""
    windows = np.random.default_rng(0).standard_normal((n_windows, 12, 1000), dtype=np.float32)
    lead_mask = np.ones((n_windows, 12), np.bool_)
    engine.embed(windows[:64], lead_mask[:64])
    return (
        times * n_windows / timed(lambda: [engine.embed(windows, lead_mask) for _ in range(times)])
    )


def timed(action: Callable[[], object]) -> float:
    """Seconds by the clock."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def seconds(command: list[str]) -> float:
    """Seconds of a whole process that ends well."""
    return timed(
        lambda: subprocess.run(
            command, check=True, capture_output=True, env=_without_limits(), cwd=ROOT
        )
    )


def _without_limits() -> dict[str, str]:
    """Our own limits are not for others.

    Whoever installs a package has its bytecode, which pip makes; where Python is told to write
    none, sources are compiled anew by every process of a scan.
    """
    ours = {"OPENBLAS_NUM_THREADS", "PYTHONDONTWRITEBYTECODE"}
    return {key: value for key, value in os.environ.items() if key not in ours}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--small", action="store_true", help="only show that it runs")
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--folder", type=Path, help="for the recordings, which are removed again")
    arguments = parser.parse_args()
    print("| what | measured | against | ratio | wanted | met |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = Bench(Path(folder), arguments.bundle, SMALL if arguments.small else FULL)
        for row in bench.rows():
            print(row, flush=True)


if __name__ == "__main__":
    main()
