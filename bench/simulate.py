"""How many recordings a second the simulator writes: ``python -m bench.simulate [FOLDER]``.

FOLDER is where the files go for the moment (default: the system's temporary folder).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from ecgscreen.simulate import dataset_settings, simulate_many, write_dataset

ROUNDS = 3
CASES = ((100.0, 2000), (500.0, 600))
"""(sampling rate in Hz, recordings a round); each of 10 s and 12 leads."""


def simulate_only(rate: float, count: int) -> float:
    """Return seconds to simulate, without files."""
    start = time.perf_counter()
    for _ in simulate_many(dataset_settings(count, seed=1, sampling_rate=rate)):
        pass
    return time.perf_counter() - start


def simulate_and_write(rate: float, count: int, folder: Path) -> float:
    """Return seconds to simulate and write into `folder`, which is to be new."""
    start = time.perf_counter()
    write_dataset(folder, count, seed=1, sampling_rate=rate)
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print the best of some rounds: load from elsewhere only ever slows down."""
    parent = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())
    print("rate Hz   simulated/s   written/s   (best of", ROUNDS, "rounds, one process)")
    # Nothing is removed before the end: ext4 without a journal makes new files ten times as
    # slowly for some minutes after many were removed.
    with tempfile.TemporaryDirectory(dir=parent) as place:
        for rate, count in CASES:
            simulated = count / min(simulate_only(rate, count) for _ in range(ROUNDS))
            new = (Path(place) / f"{rate:g}Hz-{number}" for number in range(ROUNDS))
            written = count / min(simulate_and_write(rate, count, folder) for folder in new)
            print(f"{rate:7g}   {simulated:11.0f}   {written:9.0f}")


if __name__ == "__main__":
    main()
