"""How many times faster than the ``wfdb`` package our reader is, both in one run.

``python -m bench.reader`` writes records of format 16 into a temporary folder, reads them in
turns with both readers (the page cache is warm) and prints the processor time a record takes
and the ratio. Processor time, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import wfdb

from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording

SHAPES = ((12, 1000), (12, 5000))
RECORDS_PER_SHAPE = 50


def write_records(folder: Path, n_samples: int) -> list[Path]:
    """Write 12-lead records of format 16 with the gains that PTB-XL has.

    Parameters
    ----------
    folder
        An existing folder.
    n_samples
        Length of each record.

    Returns
    -------
    The headers' paths.
    """
    rng = np.random.default_rng(n_samples)
    paths = []
    for number in range(RECORDS_PER_SHAPE):
        name = f"{number:05d}_{n_samples}"
        digital = rng.integers(-3000, 3000, (n_samples, len(LEADS))).astype("<i2")
        (folder / f"{name}.dat").write_bytes(digital.tobytes())
        checksums = digital.sum(axis=0, dtype=np.int64) % 65536
        lines = [f"{name} {len(LEADS)} {n_samples // 10} {n_samples}"] + [
            f"{name}.dat 16 1000.0(0)/mV 16 0 {digital[0, index]} {checksums[index]} 0 {lead}"
            for index, lead in enumerate(LEADS)
        ]
        path = folder / f"{name}.hea"
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        paths.append(path)
    return paths


def processor_seconds(
    paths: list[Path], readers: list[Callable[[Path], object]], rounds: int
) -> list[float]:
    """Time readers in turns.

    Parameters
    ----------
    paths
        What to read.
    readers
        What is compared.
    rounds
        How often each path is read by each reader.

    Returns
    -------
    Processor seconds a record, the median over rounds, one a reader.
    """
    seconds: list[list[float]] = [[] for _ in readers]
    for _ in range(rounds):
        for reader, times in zip(readers, seconds, strict=True):
            start = time.process_time()
            for path in paths:
                reader(path)
            times.append((time.process_time() - start) / len(paths))
    return [statistics.median(times) for times in seconds]


def main() -> None:
    """Print a row a shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15, help="reads of every record")
    rounds = parser.parse_args().rounds
    print(f"{'leads x samples':>16} {'ecgscreen':>12} {'wfdb':>12} {'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for n_leads, n_samples in SHAPES:
            paths = write_records(Path(folder), n_samples)
            ours = read_recording(paths[0])
            theirs = wfdb.rdrecord(str(paths[0].with_suffix("")))
            if not isinstance(ours, Recording) or not np.array_equal(
                ours.signal, theirs.p_signal.T.astype(np.float32)
            ):
                raise SystemExit("the two readers differ: the ratio would mean nothing")
            fast, slow = processor_seconds(
                paths,
                [read_recording, lambda path: wfdb.rdrecord(str(path.with_suffix("")))],
                rounds,
            )
            print(
                f"{f'{n_leads} x {n_samples}':>16} {fast * 1e6:9.1f} us {slow * 1e6:9.1f} us"
                f" {slow / fast:7.1f}x"
            )


if __name__ == "__main__":
    main()
