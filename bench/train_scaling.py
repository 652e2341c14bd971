"""How much faster several processes train than one: ``python -m bench.train_scaling FOLDER...``.

The real training, started by torchrun with 1 to N processes of one thread each, on as many
recordings a step, and once as one process with N threads. Prints a Markdown table of the median
step, and of what the recordings a second are to those of one process. FOLDER is in PTB-XL's layout.
Means little while the machine does something else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch

from bench.scan import ROOT
from ecgscreen.vocabulary import load_vocabulary
from engines.processor import usable_cores
from trainer import distributed
from trainer.config import TrainConfig
from trainer.data import load_ptbxl
from trainer.train import train

_WARMING = 3
"""Steps that are not counted: memory is laid out in them."""


def step_seconds(folders: list[Path], fold: int, batch_size: int, epochs: int) -> float:
    """The median step of a training in this process and those that torchrun started beside it."""
    config = TrainConfig(
        train_folds=(fold,),
        validation_folds=(fold + 1,),
        batch_size=batch_size,
        epochs=epochs,
        device="cpu",
    )
    vocabulary = load_vocabulary()
    recordings = load_ptbxl(folders, (fold, fold + 1), vocabulary, config.preprocess)
    ends: list[float] = []
    with distributed.joined(config.device):
        train(
            recordings,
            vocabulary,
            config,
            on_step=lambda _step, _loss: ends.append(time.perf_counter()),
        )
    # Between epochs a validation is in it; the median does not see it.
    return median(end - start for start, end in pairwise(ends[_WARMING:]))


def measure(arguments: list[str], processes: int, threads: int) -> float:
    """Start the processes; seconds of a step, as the first of them has it."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*command, "--nproc-per-node", str(processes), "-m", "bench.train_scaling", *arguments],
        env=os.environ
        | {"OMP_NUM_THREADS": str(threads), "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    return float(done.stdout)


def main() -> None:
    """Measure and print the table; as a process that torchrun started, the seconds of a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--fold", type=int, default=7, help="to train on; the next one validates")
    parser.add_argument("--batch-size", type=int, default=64, help="of all processes together")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--processes", type=int, default=usable_cores())
    arguments = parser.parse_args()
    if torch.distributed.is_torchelastic_launched():
        took = step_seconds(
            arguments.folders, arguments.fold, arguments.batch_size, arguments.epochs
        )
        if int(os.environ["RANK"]) == 0:
            print(took)
        return
    print("| processes | threads each | s a step | recordings/s | against one |")
    print("|---|---|---|---|---|")
    one = 0.0
    rows = [(n, 1) for n in range(1, arguments.processes + 1)]
    if arguments.processes > 1:
        rows.append((1, arguments.processes))
    for processes, threads in rows:
        took = measure(sys.argv[1:], processes, threads)
        one = one or took
        rate, times = arguments.batch_size / took, one / took
        print(f"| {processes} | {threads} | {took:.3f} | {rate:.1f} | {times:.2f} |", flush=True)


if __name__ == "__main__":
    main()
