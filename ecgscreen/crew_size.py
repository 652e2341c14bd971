"""How many processes a scan is worth, as far as names of files tell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ecgscreen.objects.address import is_object
from engines.processor import usable_cores

FEW = 512
"""Fewer recordings than this are done sooner than a worker has started."""

_MOST_WORKERS = 8
# Spelled out here because importing what it is of would take longer than all the rest; a test
# holds the two alike.
_MANIFEST = Path("store", "manifest.json")


def most_workers() -> int:
    """One a core, and no more than the memory of a machine of many cores has room for."""
    return min(usable_cores(), _MOST_WORKERS)


def crew_size(
    roots: Sequence[Path], out: Path, *, workers: int | None = None, fresh: bool = False
) -> int | None:
    """Say how many processes are to embed; None where only a walk can tell.

    Parameters
    ----------
    roots
        Folders or single recordings.
    out
        The screening's folder. What it holds already is mostly not read again, however much the
        folders hold.
    workers
        How many were asked for, if any.
    fresh
        Whether what the screening holds is read again.
    """
    if workers is not None:
        return workers
    if not fresh and (out / _MANIFEST).exists():
        return 0
    return most_workers() if _hold_many(roots) else None


def _hold_many(roots: Sequence[Path]) -> bool:
    """Whether there are `FEW` files whose names differ in more than the suffix.

    A recording of several files is one, and of other files there seldom are as many. Nothing is
    opened, and a folder is listed no further than it takes.
    """
    folders = [str(root) for root in roots if not is_object(root)]
    n_found = 0
    while folders:
        stems = set()
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        stems.add(entry.name.rpartition(".")[0])
                    if n_found + len(stems) >= FEW:
                        return True
        except OSError:  # a single recording, or what the walk will complain of
            continue
        n_found += len(stems)
    return False
