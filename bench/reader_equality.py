"""Whether our reader equals the ``wfdb`` package on every record of a folder, to the bit.

``python -m bench.reader_equality [FOLDER]`` reads every WFDB record below a folder both ways
(default: the real recordings that the tests use) and compares the float32 signals in mV. It
prints a row a subfolder and exits with 1 if a record differs or only one of the two reads it,
except where we refuse on purpose (a gain of 0, which the package takes for 200).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import wfdb

from ecgscreen.discover import Discovery
from ecgscreen.leads import standard_lead_name
from ecgscreen.readers import read_recording
from ecgscreen.readers.units import millivolts_per_unit
from ecgscreen.recording import SkippedRecording, SkipReason

DEFAULT_FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def compare(path: Path, root: Path) -> str:
    """Read a record both ways.

    Parameters
    ----------
    path
        The header.
    root
        The folder it was found in.

    Returns
    -------
    ``equal``, ``refused: gain``, or what differs.
    """
    ours = read_recording(path, root)
    theirs = wfdb.rdrecord(str(path.with_suffix("")))
    if isinstance(ours, SkippedRecording):
        return "refused: gain" if ours.reason is SkipReason.BAD_GAIN else "only wfdb reads it"
    first: dict[str, int] = {}
    for index, description in enumerate(theirs.sig_name):
        name = standard_lead_name(description)
        if name is not None:
            first.setdefault(name, index)
    if tuple(first) != ours.lead_names or theirs.fs != ours.sampling_rate:
        return "leads or sampling rate differ"
    columns = list(first.values())
    factors = np.array([millivolts_per_unit(theirs.units[index]) or 1.0 for index in columns])
    expected = (theirs.p_signal[:, columns] * factors).T.astype(np.float32)
    return "equal" if np.array_equal(ours.signal, expected, equal_nan=True) else "samples differ"


def main() -> None:
    """Compare all records and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?")
    default = Path(os.environ.get("ECGSCREEN_DATA", DEFAULT_FOLDER))
    folder = parser.parse_args().folder or default
    counts: dict[str, Counter[str]] = {}
    for found in Discovery([folder]):
        if found.path.suffix != ".hea":
            continue
        part = found.name.partition("/")[0] if "/" in found.name else "."
        outcome = "not a record" if found.problem else compare(found.path, found.root)
        counts.setdefault(part, Counter())[outcome] += 1
    for part, outcomes in counts.items():
        print(f"{part:20}", ", ".join(f"{n} {outcome}" for outcome, n in outcomes.items()))
    outcomes = sum(counts.values(), Counter())
    print(f"{'all':20}", ", ".join(f"{n} {outcome}" for outcome, n in outcomes.items()))
    if set(outcomes) - {"equal", "refused: gain"}:
        sys.exit(1)


if __name__ == "__main__":
    main()
