"""Where the processor time of a scan goes, stage by stage, in ms a recording.

``python -m bench.budget`` prints a Markdown table. It is the time of all threads and processes, so
that it means something on a machine that does other things too (if less: caches are shared, and a
core may be half of one). Stages are measured by themselves, whole commands beside them; what the
command takes beyond the stages is the store, and what stages cost in one another's way. The reports
hold up to a hundred strips, for which recordings are read again, however many there are.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

# As the command does: its matrix products are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from bench.linked_records import write_linked
from bench.scan import LABELS, ROOT, embed
from ecgscreen.bundle import default_bundle, load_bundle
from ecgscreen.discover import Discovery
from ecgscreen.embedding import embed_all
from ecgscreen.packing import pack_rows, unpack_rows
from ecgscreen.preparation import prepare_recordings
from ecgscreen.readers import read_recording
from ecgscreen.serving import CHUNK
from engines.select import load_engine

_WANTED = 0.7
_FEW = 600


def processor_ms(action: Callable[[], object], n: int, rounds: int = 7) -> float:
    """Processor time of this process in ms for each of `n`, the median of some rounds."""
    took = []
    for _ in range(rounds):
        start = time.process_time()
        action()
        took.append(time.process_time() - start)
    return 1e3 * median(took) / n


def command_s(*arguments: str) -> float:
    """Processor time of a command and its workers, in seconds."""
    before = getrusage(RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "ecgscreen", *arguments]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def stages(records: Path, folder: Path, bundle_path: Path) -> Iterator[tuple[str, float]]:
    """Measure the stages of a scan and the scan itself.

    Yields
    ------
    What, and its ms a recording; ``engine`` and ``all`` are what `main` reckons with.
    """
    bundle = load_bundle(bundle_path)
    found = list(Discovery([records]))
    n = len(found)
    few = found[:_FEW]
    np.empty(24 << 20, np.uint8)  # freed at once: see `ecgscreen.workers`

    def read() -> None:
        for one in few:
            read_recording(one.path, one.root)

    def prepare() -> None:
        for _ in prepare_recordings(few, bundle.preprocessing):
            pass

    chunk = few[:CHUNK]
    engine = load_engine("openvino", bundle.encoder_onnx, threads=1)  # as a worker has it
    rows = list(embed_all(prepare_recordings(chunk, bundle.preprocessing), engine))

    def pass_on() -> None:
        pickle.loads(pickle.dumps(chunk))
        list(unpack_rows(pickle.loads(pickle.dumps(pack_rows(rows)))))

    yield "engine", processor_ms(lambda: embed(engine, 1024), 1024 + 64, 3)
    reading = processor_ms(read, len(few))
    yield "reading", reading
    yield "assessing, preparing, hashing", processor_ms(prepare, len(few)) - reading
    yield "passing from process to process", processor_ms(pass_on, len(chunk))
    yield "walking", processor_ms(lambda: list(Discovery([records])), n)
    scan = ("--labels", LABELS, "--bundle", str(bundle_path), "-q")
    first = (str(chunk[0].path), "--out", str(folder / "one"), *scan)
    every = (str(records), "--out", str(folder / "all"), *scan)
    start = command_s("scan", *first)
    whole = command_s("scan", *every)
    reports = command_s("scan", "--rescore", *every) - command_s("scan", "--rescore", *first)
    yield f"starting, for {n:,}", 1e3 * start / n
    yield "reports", 1e3 * reports / n
    yield "all", 1e3 * whole / n


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=4_000)
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--folder", type=Path, help="for the recordings, which are removed again")
    arguments = parser.parse_args()
    for rate in (100, 500):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
            folder = Path(name)
            records = write_linked(folder / "records", arguments.count, float(rate))
            print(f"\n| stage, {rate} Hz | ms of processor time a recording |\n|---|---|")
            found = {}
            for stage, ms in stages(records, folder, arguments.bundle):
                found[stage] = ms
                print(f"| {stage} | {ms:.3f} |", flush=True)
            rest = found["all"] - sum(ms for stage, ms in found.items() if stage != "all")
            print(f"| everything else: the store, and waiting in one another's way | {rest:.3f} |")
            share = found["engine"] / found["all"]
            left = found["engine"] / _WANTED - found["engine"]
            print(
                f"\nThe engine's share is {share:.2f}; for {_WANTED:g} all but the engine may take "
                f"{left:.2f} ms, and takes {found['all'] - found['engine']:.2f}."
            )


if __name__ == "__main__":
    main()
