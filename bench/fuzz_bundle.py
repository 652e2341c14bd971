"""Spoiled bundles: manifest, arrays, encoder, calibrations; altered before and after hashing."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import numpy as np

from bench.fuzz_encoder import EMBEDDING_SIZE, TEXT_SIZE, tiny_encoder
from bench.fuzz_mutate import odd_value, spoil_bytes, spoil_document, spoil_numbers
from bench.fuzz_target import Target, refused
from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.bundle_manifest import MANIFEST
from ecgscreen.diagnoses import load_list
from ecgscreen.errors import EcgscreenError
from ecgscreen.prompts import embed_list
from ecgscreen.scoring import score
from ecgscreen.site_calibration import FORMAT, FORMAT_VERSION, calibrated_rows, load_calibration
from ecgscreen.verify import open_engine
from ecgscreen.vocabulary import load_vocabulary

_ARRAYS = ("concepts.npz", "text_head.npz", "reference.npz", "check.npz")
_LIST = "rhythm.txt"


def npz(arrays: Mapping[str, Any], *, compressed: bool = False) -> bytes:
    """Give the bytes of an NPZ file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def _unit(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    rows = rng.normal(size=shape).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows


@cache
def contents() -> Mapping[str, bytes]:
    """Give the files of a small bundle that is right: an encoder that was never trained."""
    rng = np.random.default_rng(7)
    ids = np.array([concept.id for concept in load_vocabulary().concepts])
    texts = _unit(rng, len(ids), TEXT_SIZE).astype(np.float16)
    head = {"weight_1": (24, TEXT_SIZE), "bias_1": (24,), "weight_2": (EMBEDDING_SIZE, 24)}
    head |= {"bias_2": (EMBEDDING_SIZE,)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in head.items()}
    check = {
        "windows": rng.normal(size=(2, 12, 1000)).astype(np.float32),
        "lead_mask": np.ones((2, 12), np.bool_),
        "embeddings": _unit(rng, 2, EMBEDDING_SIZE),
    }
    return MappingProxyType(
        {
            "encoder.onnx": tiny_encoder(),
            "text_head.npz": npz(weights),
            "concepts.npz": npz(
                {"ids": ids, "embeddings": _unit(rng, len(ids), EMBEDDING_SIZE), "texts": texts}
            ),
            "reference.npz": npz({"embeddings": _unit(rng, 40, EMBEDDING_SIZE).astype(np.float16)}),
            "calibration.json": (default_bundle() / "calibration.json").read_bytes(),
            "check.npz": npz(check),
        }
    )


@cache
def manifest() -> Mapping[str, Any]:
    """Give the shipped bundle's manifest, but for the embedding size and the files."""
    document = json.loads((default_bundle() / MANIFEST).read_bytes())
    return MappingProxyType(document | {"embedding_size": EMBEDDING_SIZE, "name": "small"})


def _files(held: Mapping[str, bytes]) -> dict[str, dict[str, object]]:
    return {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in held.items()
    }


def _write(folder: Path, held: Mapping[str, bytes], document: bytes) -> None:
    for name, content in held.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(document)


def _document(held: Mapping[str, bytes]) -> dict[str, Any]:
    return {**manifest(), "files": _files(held)}


@cache
def whole_bundle() -> Bundle:
    """Give the small bundle, loaded; its files are gone by then."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), contents(), json.dumps(_document(contents())).encode())
        return load_bundle(Path(folder))


def write_manifest(rng: Random, folder: Path) -> None:
    """A manifest with values, keys or bytes changed, or a file altered after it was hashed."""
    held = dict(contents())
    document = spoil_document(rng, _document(held))
    if rng.random() < 0.1:
        name = rng.choice(list(held))
        held[name] = spoil_bytes(rng, held[name])
    _write(folder, held, document)


def write_arrays(rng: Random, folder: Path) -> None:
    """Arrays that are not what they should be, by the hash right: whoever altered them hashed."""
    held = dict(contents())
    name = rng.choice((*_ARRAYS, "calibration.json"))
    if name == "calibration.json":
        held[name] = spoil_document(rng, json.loads(held[name]))
    else:
        held[name] = _spoil_npz(rng, held[name])
    _write(folder, held, json.dumps(_document(held)).encode())


def _spoil_npz(rng: Random, content: bytes) -> bytes:
    way = rng.randrange(4)
    if way == 0:
        return spoil_bytes(rng, content)
    if way == 1:  # the directory at the end
        return content[:-600] + spoil_bytes(rng, content[-600:])
    with np.load(io.BytesIO(content)) as arrays:
        held = dict(arrays)
    key = rng.choice(list(held))
    if way == 2:
        held[key] = _odd_array(rng, held[key])
        return npz(held, compressed=rng.random() < 0.5)
    parts = {f"{name}.npy": npy(array) for name, array in held.items()}
    spoiled = spoil_numbers(rng, parts[f"{key}.npy"], 128)
    parts[f"{key}.npy"] = rng.choice((spoiled, spoil_bytes(rng, spoiled[:128]) + spoiled[128:]))
    return zipped(parts, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)))


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Give the bytes of an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(parts: Mapping[str, bytes], method: int) -> bytes:
    """Give the bytes of a ZIP file; the same parts give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, method)
    return buffer.getvalue()


def _odd_array(rng: Random, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    odd = [array[:-1], array[:0], array[None], array.ravel(), array.T, np.array(5)]
    odd += [array.astype(str), np.array([odd_value(rng)], object)]
    odd += [np.zeros(rng.choice((0, 10, 30_000_000)), np.int8)]
    if array.dtype.kind == "f":
        odd += [array * np.nan, array * 0, array.astype(np.float64), -array, array.astype("S3")]
        odd += [array.astype(np.complex64), array.astype(int)]
    return rng.choice(odd)


def run_bundle(folder: Path) -> bool:
    """Load the bundle and use all of it that a scan uses but the encoder."""
    try:
        bundle = load_bundle(folder)
        prompts = embed_list(load_list(_LIST), bundle, load_vocabulary())
        if bundle.reference is not None:
            score(bundle.reference, prompts.directions)
        bundle.text_head.project(bundle.concept_texts.astype(np.float32)[:2])
        _ = bundle.check, bundle.seen_concepts, bundle.platt_scalings, bundle.name
    except EcgscreenError as error:
        return refused(error)
    return True


def write_encoder(rng: Random, folder: Path) -> None:
    """A network that is altered, and by the hash right."""
    held = {**contents()}
    if rng.random() < 0.9:
        held["encoder.onnx"] = spoil_bytes(rng, held["encoder.onnx"])
    _write(folder, held, json.dumps(_document(held)).encode())


def run_encoder(folder: Path) -> bool:
    """Load the encoder into the default engine and embed the check batch."""
    try:
        bundle = load_bundle(folder)
        check = bundle.check
        open_engine(bundle, "openvino", "f32").embed(check["windows"], check["lead_mask"])
    except EcgscreenError as error:
        return refused(error)
    return True


def write_calibration(rng: Random, folder: Path) -> None:
    """A site's calibration with values, keys or bytes changed."""
    entry = {
        "name": "atrial fibrillation",
        "concepts": ["AFIB"],
        "threshold": 0.25,
        "criterion": "largest F1",
        "n_independent": None,
        "threshold_draws": [0.24, 0.26],
        "platt": {"slope": 10.0, "intercept": -4.0},
    }
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "bundle": {"name": "small", "sha256": whole_bundle().sha256},
        "list": {"name": "rhythm.txt", "sha256": "0" * 64},
        "created": "2026-11-22",
        "dataset": ["ours"],
        "folds": [9],
        "n": 2,
        "diagnoses": [entry, {**entry, "name": "flutter", "concepts": ["AFLT"], "platt": None}],
        "signals": ["0" * 32, "f" * 32],
    }
    (folder / "site.json").write_bytes(spoil_document(rng, document))


def run_calibration(folder: Path) -> bool:
    """Load the calibration and give its thresholds to a list."""
    try:
        calibration = load_calibration(folder / "site.json", whole_bundle())
        diagnoses = load_list(_LIST)
        rows = embed_list(diagnoses, whole_bundle(), load_vocabulary()).rows
        calibrated_rows(rows, diagnoses.diagnoses, calibration)
        json.dumps(calibration.named)
    except EcgscreenError as error:
        return refused(error)
    return True


TARGETS = (
    Target("bundle-manifest", 45, write_manifest, run_bundle),
    Target("bundle-arrays", 60, write_arrays, run_bundle),
    Target("bundle-encoder", 6, write_encoder, run_encoder),
    Target("calibration", 45, write_calibration, run_calibration),
)
