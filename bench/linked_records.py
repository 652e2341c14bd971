"""A folder of any size in little space: a few hundred recordings, and links to them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ecgscreen.simulate import write_dataset

DISTINCT = 400


def write_linked(folder: Path, count: int, sampling_rate: float) -> Path:
    """Simulate up to `DISTINCT` recordings, and link them into sub-folders.

    Every file has a name of its own and is opened by it; the samples of the linked ones lie in
    the page cache once.

    Parameters
    ----------
    folder
        Does not exist.
    count
        Recordings.
    sampling_rate
        In Hz.

    Returns
    -------
    The folder to scan, with `count` recordings of 10 s and 12 leads below it.
    """
    n_distinct = min(count, DISTINCT)
    write_dataset(folder / "distinct", n_distinct, seed=1, sampling_rate=sampling_rate)
    headers = sorted((folder / "distinct").glob("*.hea"))
    linked = folder / "records"
    for number, header in enumerate(islice(_again(headers), count)):
        place = linked / f"{number // n_distinct:05d}"
        place.mkdir(parents=True, exist_ok=True)
        for path in (header, header.with_suffix(".dat")):
            os.link(path, place / path.name)
    return linked


def _again(headers: list[Path]) -> Iterator[Path]:
    while True:
        yield from headers
