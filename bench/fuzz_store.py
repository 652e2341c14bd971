"""Spoiled run stores: the manifest, and shards that are altered before and after hashing."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import numpy as np

from bench.fuzz_bundle import npz
from bench.fuzz_mutate import spoil_bytes, spoil_document, spoil_numbers
from bench.fuzz_target import Target, refused
from ecgscreen.errors import EcgscreenError
from ecgscreen.results import RecordResult, Status, not_scored, record_id_of
from ecgscreen.run_store import MANIFEST, RunStore

_N_RECORDS = 6


def _record(index: int) -> RecordResult:
    path = f"day/{index}.hea"
    if index % 3 == 2:
        return not_scored(path, Status.ERROR, "signal file missing", "gone.dat")
    rng = np.random.default_rng(index)
    embeddings = rng.normal(size=(1 + index % 2, 16))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return RecordResult(
        path=path,
        record_id=record_id_of(path),
        status=Status.SCORED,
        reason="",
        detail="",
        quality="good",
        sampling_rate=100.0,
        duration_s=10.0 * len(embeddings),
        leads=("I", "II", "V1"),
        notes=(),
        window_starts_s=10 * np.arange(len(embeddings), dtype=np.float32),
        embeddings=embeddings.astype(np.float16),
    )


@cache
def contents() -> Mapping[str, bytes]:
    """Give the files of a finished run of two shards."""
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore.create(Path(folder), {"bundle_sha256": "ab12"})
        for index in range(_N_RECORDS):
            store.append(_record(index), made_s=1.8e9)
            if index == _N_RECORDS // 2:
                store.flush()
        store.finish()
        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
        return MappingProxyType({path.name: path.read_bytes() for path in files})


def _manifest() -> Any:
    return json.loads(contents()[MANIFEST])


def _write(folder: Path, held: Mapping[str, bytes]) -> None:
    for name, content in held.items():
        (folder / name).write_bytes(content)


def write_manifest(rng: Random, folder: Path) -> None:
    """A manifest with values, keys or bytes changed."""
    held = dict(contents())
    held[MANIFEST] = spoil_document(rng, _manifest())
    _write(folder, held)


def write_shard(rng: Random, folder: Path) -> None:
    """A shard that is altered; mostly its hash and size in the manifest go with it."""
    held = dict(contents())
    name = rng.choice([name for name in held if name.startswith("shard-")])
    content = _spoil_shard(rng, held[name])
    document = json.loads(held[MANIFEST])
    for entry in document["shards"]:
        if entry["name"] == name and rng.random() < 0.9:
            entry |= {"sha256": sha256(content).hexdigest(), "size": len(content)}
    held[name], held[MANIFEST] = content, json.dumps(document).encode()
    _write(folder, held)


def _spoil_shard(rng: Random, content: bytes) -> bytes:
    way = rng.randrange(4)
    if way == 0:
        return spoil_bytes(rng, content)
    with np.load(io.BytesIO(content)) as arrays:
        held: dict[str, Any] = dict(arrays)
    if way == 1:
        text = held["text"].tobytes()
        text = rng.choice((spoil_bytes(rng, text), spoil_numbers(rng, text)))
        held["text"] = np.frombuffer(text, np.uint8)
        return npz(held)
    key = rng.choice(list(held))
    array = held[key]
    if way == 2:
        held[key] = rng.choice((array[:-1], array[:0], array[None], array.astype(str), array * 0))
    else:
        held[key] = array.astype(rng.choice(("f4", "f8", "i2", "u1", "M8[s]", "S2")))
        if rng.random() < 0.5:
            held["n_windows"] = np.array([-1, 2**62, rng.randint(0, 9)], np.int64)[: len(array)]
    return npz(held)


def run_store(folder: Path) -> bool:
    """Open the store and read all of its records, sorted, as reports do."""
    try:
        store = RunStore.open(folder)
        for _ in store.iter_results():
            pass
        for block in store.iter_sorted():
            for row in block:
                _ = row.result.n_windows
        dict(store.provenance)
    except EcgscreenError as error:
        return refused(error)
    return True


TARGETS = (
    Target("store-manifest", 35, write_manifest, run_store),
    Target("store-shard", 40, write_shard, run_store),
)
