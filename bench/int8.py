"""Whether int8 holds what every precision has to hold: ``python -m bench.int8 FOLDER...``.

Quantises the bundle's encoder after training (Jacob et al., CVPR 2018): weights per channel, the
input of every convolution per tensor, both symmetric, the latter up to the 99.99th percentile of
what recordings of the bundle's training folds give there. OpenVINO then runs the file with its
quantize and dequantize nodes on the processor, against its own float32 and bf16.

FOLDER is in PTB-XL's layout. Exit code 1 says that int8 does not hold what ``verify`` asks for.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ecgscreen.bundle import default_bundle, load_bundle
from ecgscreen.errors import EngineError
from ecgscreen.verify import compare_scores, open_engine
from ecgscreen.vocabulary import load_vocabulary
from engines.base import Engine
from engines.onnx_precision import fold_batch_norms, replace_nodes
from engines.openvino import OpenVINOEngine
from trainer.auc_shift import auc_shifts
from trainer.data import load_ptbxl

PERCENTILE = 99.99
BATCH, ROUNDS = 32, 15


def main() -> None:
    """Quantise, compare, time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--calibration", type=int, default=128, help="training recordings")
    parser.add_argument("--folds", default="9", help="to compare macro AUC on")
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    reference = open_engine(bundle, "openvino", "f32")
    # One fold is more than enough to calibrate on.
    fold = bundle.manifest["training"]["train_folds"][-1]
    training = load_ptbxl(arguments.folders, [fold], load_vocabulary(), bundle.preprocessing)
    rows = slice(arguments.calibration)
    onnx_bytes = quantised(bundle.encoder_onnx, training.windows[rows], training.lead_mask[rows])
    engine = OpenVINOEngine(onnx_bytes, precision="f32")
    check = bundle.check
    comparison = compare_scores(
        bundle,
        "bf16",
        "the bundle's check batch",
        engine.embed(check["windows"], check["lead_mask"]),
        check["embeddings"],
    )
    shifts = list(auc_shifts(bundle, engine, reference, arguments.folders, arguments.folds))
    for line in (*comparison.lines(), *(shift.line() for shift in shifts)):
        print(line)
    engines: dict[str, Engine] = {"f32": reference, "int8": engine}
    try:
        engines["bf16"] = open_engine(bundle, "openvino", "bf16")
    except EngineError as error:
        print(error.message)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    windows, lead_mask = training.windows[:BATCH], training.lead_mask[:BATCH]
    for _ in range(ROUNDS):
        for name, each in engines.items():
            start = time.process_time()
            each.embed(windows, lead_mask)
            seconds[name].append(time.process_time() - start)
    for name, values in seconds.items():
        print(f"{name:>5} {statistics.median(values) * 1e3:6.1f} ms of processor time for {BATCH}")
    sys.exit(0 if comparison.holds and all(shift.holds for shift in shifts) else 1)


def quantised(
    onnx_bytes: bytes, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
) -> bytes:
    """The encoder with its convolutions in int8, calibrated on some windows.

    Parameters
    ----------
    onnx_bytes
        A float32 encoder.
    windows, lead_mask
        float32 (N, 12, n_samples) and bool (N, 12), of training recordings.
    """
    model = onnx.load_model_from_string(onnx_bytes)
    fold_batch_norms(model.graph)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    limits = _limits(model, [node.input[0] for node in convolutions], windows, lead_mask)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes, constants, ready = [], [], set()
    for node in model.graph.node:
        if node.op_type == "Conv":
            x, w = node.input[:2]
            if x not in ready:
                ready.add(x)
                constants += _constants(x, np.float32(limits[x] / 127))
                q, d = f"{x}.q", f"{x}.d"
                nodes.append(helper.make_node("QuantizeLinear", [x, f"{x}.s", f"{x}.z"], [q]))
                nodes.append(helper.make_node("DequantizeLinear", [q, f"{x}.s", f"{x}.z"], [d]))
            scale = (np.abs(weights[w]).max(axis=(1, 2)) / 127).astype(np.float32)
            levels = np.rint(weights[w] / scale[:, None, None]).astype(np.int8)
            constants += [numpy_helper.from_array(levels, f"{w}.q"), *_constants(w, scale)]
            inputs = [f"{w}.q", f"{w}.s", f"{w}.z"]
            nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{w}.d"], axis=0))
            node.input[:2] = [f"{x}.d", f"{w}.d"]
        nodes.append(node)
    replace_nodes(model.graph, nodes)
    model.graph.initializer.extend(constants)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _constants(name: str, scale: Any) -> list[onnx.TensorProto]:
    zero = np.zeros(np.shape(scale), np.int8)
    return [
        numpy_helper.from_array(np.asarray(scale), f"{name}.s"),
        numpy_helper.from_array(zero, f"{name}.z"),
    ]


def _limits(
    model: onnx.ModelProto,
    names: list[str],
    windows: NDArray[np.float32],
    lead_mask: NDArray[np.bool_],
) -> Mapping[str, float]:
    """The percentile of the absolute values that some inner results take."""
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    names = list(dict.fromkeys(names))
    for name in names:
        watched.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    import openvino  # an engine is loaded already, which has kept it from reporting the import

    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(watched.SerializeToString(), b""), "CPU", hints)
    results = compiled({"windows": windows, "lead_mask": lead_mask.astype(np.float32)})
    return {
        name: float(np.percentile(np.abs(results[place]), PERCENTILE))
        for place, name in enumerate(names, start=1)
    }


if __name__ == "__main__":
    main()
