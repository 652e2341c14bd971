"""What one would write in an afternoon to score a folder, for `bench.scan` to compare with.

``python -m bench.plain_script FOLDER LIST OUT.csv [--bundle BUNDLE]``: `wfdb.rdrecord`, a band-pass
and a resampling of scipy, the encoder as a PyTorch module in float32 in batches of 32, cosines, a
CSV. No check of anything: a file that is out of the ordinary ends it. Prints the seconds that the
recordings took, without those of the imports and of loading the model.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
import wfdb
from numpy.typing import NDArray
from scipy import signal

from ecgscreen.bundle import default_bundle, load_bundle
from ecgscreen.diagnoses import load_list
from ecgscreen.prompts import embed_list
from ecgscreen.vocabulary import load_vocabulary
from trainer.onnx_export import restore_encoder

BATCH = 32
RATE = 100
MILLIVOLTS_PER_UNIT = 0.2


def prepare(path: Path) -> NDArray[np.float32]:
    """Read and filter a recording of 12 leads and 10 s: float32, shape (12, 1000)."""
    record = wfdb.rdrecord(str(path.with_suffix("")))
    band = signal.butter(4, (0.5, 40.0), "bandpass", fs=record.fs, output="sos")
    filtered = signal.sosfiltfilt(band, record.p_signal, axis=0)
    if record.fs != RATE:
        filtered = signal.resample_poly(filtered, RATE, int(record.fs), axis=0)
    window: NDArray[np.float32] = (filtered.T / MILLIVOLTS_PER_UNIT).astype(np.float32)
    return window


def main() -> None:
    """Parse, load, score, print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("labels")
    parser.add_argument("out", type=Path)
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--most", type=int, default=1_000_000, help="recordings to score")
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    prompts = embed_list(load_list(arguments.labels), bundle, load_vocabulary())
    directions = torch.from_numpy(prompts.directions.astype(np.float32))
    encoder = restore_encoder(bundle.encoder_onnx).eval()
    lead_mask = torch.ones(BATCH, 12)
    encoder(torch.zeros(BATCH, 12, 10 * RATE), lead_mask)

    start = time.perf_counter()
    paths = sorted(arguments.folder.rglob("*.hea"))[: arguments.most]
    with arguments.out.open("w", encoding="utf-8", newline="") as file, torch.inference_mode():
        rows = csv.writer(file)
        rows.writerow(["path", *(row.name for row in prompts.rows)])
        for first in range(0, len(paths), BATCH):
            part = paths[first : first + BATCH]
            windows = torch.from_numpy(np.stack([prepare(path) for path in part]))
            embeddings = encoder(windows, lead_mask[: len(part)])
            for path, scores in zip(part, (embeddings @ directions.T).tolist(), strict=True):
                rows.writerow([path, *scores])
    print(len(paths), time.perf_counter() - start)


if __name__ == "__main__":
    main()
