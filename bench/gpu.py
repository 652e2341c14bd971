"""How many records a second an NVIDIA device embeds, and how many times PyTorch's float32 that is.

    python -m bench.gpu            # on a machine with a device; under five minutes
    python -m bench.gpu --dry-run  # anywhere: builds every engine that can be built without one

Each runner embeds the same windows from ordinary memory, copies to the device and back included,
in batches of 256. The runners take turns, and the median round counts. The windows are simulated,
the encoder is the shipped one: nothing but the repository, PyTorch and TensorRT is needed.

Exit codes: 0 measured, and what was to be reached is; 1 measured, and it is not; 4 no device.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.verify import simulated_windows
from engines.base import EngineUnavailableError
from engines.cuda_driver import CudaDriver, Device
from engines.parity import compare
from engines.select import load_engine
from engines.tensorrt_build import (
    FULL_BATCH,
    PACKAGES,
    PRECISIONS,
    build_engine,
    import_tensorrt,
    installed,
)

RATIO, RATE_ON_H100 = 4.0, 100_000.0
"""What tensorrt f16 is to reach: times PyTorch's eager float32, and records a second."""
NOT_REACHED, NO_DEVICE = 1, 4
BASE = "pytorch eager f32"
Runner = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]


@dataclass(frozen=True)
class Row:
    """One runner.

    Attributes
    ----------
    name
        Engine and precision.
    rate
        Records a second, median over rounds.
    cosine
        Smallest, between its embeddings and those of `BASE`.
    """

    name: str
    rate: float
    cosine: float


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dry-run", action="store_true", help="build, measure nothing")
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--records", type=int, default=40 * FULL_BATCH, help="a round")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    if arguments.dry_run:
        for line in dry_run(bundle):
            print(line)
        return
    try:
        device = CudaDriver().device
        _need_cuda_in_pytorch()
    except EngineUnavailableError as error:
        print(f"nothing was measured: {error}", file=sys.stderr)
        sys.exit(NO_DEVICE)
    rows, missing = measure(bundle, arguments.records, arguments.rounds)
    print("\n".join(table(device, rows, missing)))
    sys.exit(0 if reached(device, rows) else NOT_REACHED)


def dry_run(bundle: Bundle) -> Iterator[str]:
    """Build what can be built without a device; a line each.

    Raises
    ------
    EngineUnavailableError
        If TensorRT for RTX, which needs no device, does not build an engine.
    """
    for package in PACKAGES:
        if not installed(package):
            yield f"{package}: not installed"
            continue
        for precision in PRECISIONS:
            start = time.perf_counter()
            try:
                content = build_engine(import_tensorrt(package), bundle.encoder_onnx, precision)
            except EngineUnavailableError as error:
                if package == "tensorrt_rtx":
                    raise
                yield f"{package} {precision}: not built here: {error}"
                continue
            seconds = time.perf_counter() - start
            yield f"{package} {precision}: {len(content) / 1e6:.1f} MB, built in {seconds:.1f} s"


def measure(bundle: Bundle, n_records: int, n_rounds: int) -> tuple[list[Row], list[str]]:
    """Time every runner that is to be had, in turns.

    Parameters
    ----------
    bundle
        Its encoder is run.
    n_records
        Windows that a runner embeds in a round.
    n_rounds
        Rounds that count; one more goes before them, for what is prepared at first use.

    Returns
    -------
    The rows, `BASE` first, and sentences about runners that are missing.
    """
    runners, missing = _runners(bundle.encoder_onnx)
    few, mask = simulated_windows(bundle.preprocessing)
    times = -(-n_records // len(few))
    windows = np.tile(few, (times, 1, 1))[:n_records]
    lead_mask = np.tile(mask, (times, 1))[:n_records]
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(n_rounds + 1):
        for name, run in runners.items():
            start = time.perf_counter()
            run(windows, lead_mask)
            seconds[name].append(time.perf_counter() - start)
    expected = runners[BASE](few, mask)
    rows = [
        Row(
            name=name,
            rate=n_records / statistics.median(seconds[name][1:]),
            cosine=compare(run(few, mask), expected).smallest_cosine,
        )
        for name, run in runners.items()
    ]
    return rows, missing


def table(device: Device, rows: Sequence[Row], missing: Sequence[str]) -> Iterator[str]:
    """Lines for RESULTS.md."""
    yield (
        f"{device.name}, compute capability {device.compute_capability}, driver for CUDA "
        f"{device.cuda_version}, Python {platform.python_version()}, batches of {FULL_BATCH}"
    )
    yield ""
    yield f"| runner | records/s | times {BASE} | smallest cosine to it |"
    yield "|---|---|---|---|"
    for row in rows:
        yield (
            f"| {row.name} | {row.rate:,.0f} | {row.rate / rows[0].rate:.2f} | {row.cosine:.6f} |"
        )
    yield ""
    yield from missing
    said = "reached" if reached(device, rows) else "NOT reached"
    yield (
        f"tensorrt f16 is to be {RATIO:g} times {BASE}, and {RATE_ON_H100:,.0f} records/s on an "
        f"H100: {said}"
    )


def reached(device: Device, rows: Sequence[Row]) -> bool:
    """Whether tensorrt f16 is as fast as it has to be."""
    rates = [row.rate for row in rows if row.name == "tensorrt f16"]
    least = max(RATIO * rows[0].rate, RATE_ON_H100 if "H100" in device.name else 0.0)
    return bool(rates) and rates[0] >= least


def _runners(onnx: bytes) -> tuple[dict[str, Runner], list[str]]:
    """`BASE` first: the module that was trained, as PyTorch runs it without being asked."""
    runners: dict[str, Runner] = {BASE: _eager(onnx, tf32=True)}
    runners["pytorch eager f32, no TF32"] = _eager(onnx, tf32=False)
    missing = []
    wanted = [("pytorch", precision) for precision in ("f32", "f16")]
    wanted += [("tensorrt", precision) for precision in PRECISIONS]
    for name, precision in wanted:
        try:
            engine = load_engine(name, onnx, precision=precision, batch_size=FULL_BATCH)
        except EngineUnavailableError as error:
            missing.append(f"{name} {precision} was not measured: {error}")
        else:
            runners[f"{name} {precision}"] = engine.embed
    return runners, missing


def _need_cuda_in_pytorch() -> None:
    """A ratio to PyTorch on the processor would mean nothing."""
    import torch

    if not torch.cuda.is_available():
        raise EngineUnavailableError(
            f"PyTorch {torch.__version__} does not run on the device", "Install its CUDA build."
        )


def _eager(onnx: bytes, *, tf32: bool) -> Runner:
    import torch

    from trainer.onnx_export import restore_encoder

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = restore_encoder(onnx).to(device)

    def run(windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        # PyTorch's default lets cuDNN's convolutions use TF32, ten bits of mantissa.
        torch.backends.cudnn.allow_tf32 = tf32
        parts = []
        with torch.inference_mode():
            for start in range(0, len(windows), FULL_BATCH):
                rows = slice(start, start + FULL_BATCH)
                inputs = (torch.from_numpy(each[rows]).to(device) for each in (windows, lead_mask))
                parts.append(module(*inputs).cpu().numpy())
        torch.backends.cudnn.allow_tf32 = True
        return np.concatenate(parts)

    return run


if __name__ == "__main__":
    main()
