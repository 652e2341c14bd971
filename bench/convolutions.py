"""What the default engine's convolutions cost, and how near the processor's peak they run.

``python -m bench.convolutions`` computes the encoder on one thread, in turns directly and with half
the multiplications where that pays (`engines.winograd`), and prints the processor time of both;
then layer by layer, as OpenVINO's counters have it, what was multiplied directly and how fast.
These are times on the clock: the least of all rounds stands there.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ecgscreen.bundle import default_bundle, load_bundle
from engines.openvino import OpenVINOEngine

BATCH = 32
SMALL_BATCH = 8
"""For the clock: what takes a millisecond is seldom interrupted in every round."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    onnx = load_bundle(arguments.bundle).encoder_onnx
    precisions = ("f32", OpenVINOEngine(onnx).info.precision)
    for precision in dict.fromkeys(precisions):
        print(f"\n| {precision} | ms of processor time for {BATCH} records |\n|---|---|")
        for algorithm, ms in compared(onnx, precision, arguments.rounds):
            print(f"| {algorithm} | {ms:.1f} |")
    print("\n| convolution | million products a record | billion a second |\n|---|---|---|")
    for shape, products, seconds in layers(onnx, precisions[-1], arguments.rounds):
        print(f"| {shape} | {products / 1e6:.2f} | {products * SMALL_BATCH / seconds / 1e9:.0f} |")


def compared(onnx: bytes, precision: str, rounds: int) -> Iterator[tuple[str, float]]:
    """Yield both algorithms and the median of their processor time in ms, taken in turns."""
    engines = [
        OpenVINOEngine(onnx, precision=precision, batch_size=BATCH, threads=1, direct=direct)
        for direct in (True, False)
    ]
    shape = engines[0].slots[0].windows.shape
    windows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    lead_mask = np.ones(shape[:2], np.bool_)
    took: list[list[float]] = [[] for _ in engines]
    for _ in range(rounds):
        for engine, times in zip(engines, took, strict=True):
            start = time.process_time()
            engine.embed(windows, lead_mask)
            times.append(time.process_time() - start)
    for engine, times in zip(engines, took, strict=True):
        yield engine.info.convolutions, 1e3 * statistics.median(times)


def layers(onnx: bytes, precision: str, rounds: int) -> Iterator[tuple[str, int, float]]:
    """Yield the convolutions computed directly: shape, products a record, seconds a small batch."""
    import openvino  # an engine is loaded already, which has kept it from reporting the import

    core = openvino.Core()
    model = core.read_model(onnx, b"")
    n_leads, n_samples = (d.get_length() for d in list(model.input("windows").partial_shape)[1:])
    model.reshape(
        {"windows": [SMALL_BATCH, n_leads, n_samples], "lead_mask": [SMALL_BATCH, n_leads]}
    )
    hints: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERF_COUNT": True,
    }
    compiled = core.compile_model(model, "CPU", hints)
    windows = np.random.default_rng(0).normal(size=(SMALL_BATCH, n_leads, n_samples))
    inputs = {
        "windows": windows.astype(np.float32),
        "lead_mask": np.ones((SMALL_BATCH, n_leads), np.float32),
    }
    request = compiled.create_infer_request()
    least: dict[str, float] = {}
    for _ in range(rounds):
        request.infer(inputs)
        for counter in request.profiling_info:
            seconds = counter.real_time.total_seconds()
            least[counter.node_name] = min(seconds, least.get(counter.node_name, math.inf))
    # OpenVINO makes one node of a convolution and what follows, and keeps the names of the latter.
    convolutions = {
        reader.get_node().get_friendly_name(): node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "Convolution"
        for reader in node.output(0).get_target_inputs()
    }
    for node in compiled.get_runtime_model().get_ordered_ops():
        names = node.get_rt_info()["originalLayersNames"].astype(str).split(",")
        for convolution in (convolutions[name] for name in names if name in convolutions):
            width, width_in, taps = convolution.input_value(1).get_shape()
            length = convolution.get_output_shape(0)[2]
            shape = f"{width_in} x {taps} to {width}, {length} places"
            yield shape, width_in * taps * width * length, least[node.get_friendly_name()]


if __name__ == "__main__":
    main()
