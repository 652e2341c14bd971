"""What a store of millions of recordings costs: to write, to open, to go on with, to report.

    python -m bench.archive --counts 200000 2000000

The rows are made up (random embeddings, 12 leads); the store, the comparison with a walk over the
folders, and all reports are the real ones. Each stage is a process of its own, whose largest
resident set and processor time are printed as a Markdown table.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.scan import LABELS, ROOT
from ecgscreen.found import Found
from ecgscreen.growing import Growth
from ecgscreen.recording import LEADS
from ecgscreen.remake import write_stored
from ecgscreen.results import RecordResult, Status, record_id_of
from ecgscreen.run_store import RunStore
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.screening import SCORING, STORE
from ecgscreen.simulate import write_dataset
from ecgscreen.stamp import FileStamp

COUNTS = (200_000, 2_000_000)
A_FOLDER = 1_000
"""Recordings in a folder of the made-up archive."""
DISTINCT = 1_000
"""Embeddings that are told apart."""


def rows(count: int, size: int) -> Iterator[RecordResult]:
    """Yield made-up rows in the order of a walk, with unit embeddings of `size` dimensions."""
    vectors = np.random.default_rng(0).standard_normal((DISTINCT, 1, size))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    embeddings = vectors.astype(np.float16)
    starts = np.zeros(1, np.float32)
    for number in range(count):
        path = path_of(number)
        yield RecordResult(
            path=path,
            record_id=record_id_of(path),
            status=Status.SCORED,
            reason="",
            detail="",
            quality="good",
            sampling_rate=500.0,
            duration_s=10.0,
            leads=LEADS,
            notes=(),
            window_starts_s=starts,
            embeddings=embeddings[number % DISTINCT],
            files=files_of(number),
            sha256=f"{number:064x}",
        )


def path_of(number: int) -> str:
    """Name a made-up recording."""
    return f"{number // A_FOLDER:05d}/record{number:08d}.hea"


def files_of(number: int) -> tuple[FileStamp, ...]:
    """Stamp its files."""
    stem = path_of(number).removesuffix(".hea")
    return (
        FileStamp(f"{stem}.hea", 600, 10**18 + number),
        FileStamp(f"{stem}.dat", 120_000, 10**18 + number),
    )


def make(folder: Path, count: int) -> None:
    """Write a store as a scan does, of one that was really made."""
    records, model = folder / "records", folder / "model"
    write_dataset(records, 1, seed=0, sampling_rate=100.0)
    scan(ScanOptions((records,), LABELS, model, workers=0))
    of = RunStore.open(model / STORE)
    size = next(of.iter_results()).embeddings.shape[1]
    store = RunStore.anew(folder / STORE)
    store.begin(of.provenance, of.runs[-1], {SCORING: of.attachment(SCORING)})
    for row in rows(count, size):
        store.append(row)
    store.finish()


def open_it(folder: Path, count: int) -> None:
    """Open the store, with its index."""
    if len(RunStore.open(folder / STORE).index) != count:
        raise SystemExit("recordings are missing")


def resume(folder: Path, count: int) -> None:
    """Compare it with a walk that names every recording, none of them changed."""
    growth = Growth(RunStore.open(folder / STORE))
    walk = (
        Found(Path(path_of(number)), folder, path_of(number), None, files_of(number))
        for number in range(count)
    )
    if any(True for _ in growth.to_prepare(walk)) or growth.n_kept != count:
        raise SystemExit("recordings that did not change would be read again")


def export(folder: Path, count: int) -> None:
    """Write all reports."""
    out = folder / "out"
    out.mkdir()
    summary, _ = write_stored(RunStore.open(folder / STORE), out)
    if summary.n_records != count:
        raise SystemExit("recordings are missing in the report")


STAGES: dict[str, Callable[[Path, int], None]] = {
    "make": make,
    "open": open_it,
    "resume": resume,
    "export": export,
}


def measured(stage: str, folder: Path, count: int) -> tuple[float, float]:
    """Run a stage in a process of its own; returns seconds of processor time and MB."""
    command = [sys.executable, "-m", "bench.archive", "--stage", stage]
    printed = subprocess.run(
        [*command, "--folder", str(folder), "--counts", str(count)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    seconds, megabytes = map(float, printed.split()[-2:])
    return seconds, megabytes


def main() -> None:
    """Measure and print the table; or do one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, metavar="N")
    parser.add_argument("--folder", type=Path, help="to work in; emptied again")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage is not None:
        begun = time.process_time()
        STAGES[arguments.stage](arguments.folder, arguments.counts[0])
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(time.process_time() - begun, most)
        return
    print("| recordings | stage | CPU seconds | µs a recording | largest memory, MB |")
    print("|---|---|---|---|---|")
    for count in arguments.counts:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            for stage in STAGES:
                seconds, megabytes = measured(stage, Path(name), count)
                print(
                    f"| {count:,} | {stage} | {seconds:.1f} | {1e6 * seconds / count:.0f} | "
                    f"{megabytes:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
