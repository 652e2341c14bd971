"""Load and check a model bundle: a folder of plain arrays and one manifest, never a pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle_manifest import (
    FORMAT_VERSION,
    MANIFEST,
    NOT_UNDERSTOOD,
    files_and_preprocessing,
)
from ecgscreen.calibration import OperatingPoint, PlattScaling
from ecgscreen.errors import BundleError
from ecgscreen.plain_arrays import expect_array, npz_arrays
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import LEADS
from ecgscreen.text_head import TextHead
from engines.onnx_tensors import holds_its_tensors
from engines.regular_file import read_regular

_MAX_MANIFEST_BYTES = 4 << 20
_ADVICE = "Copy the whole bundle again from where it was exported."


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. Every byte read from it is the byte that was hashed.

    Attributes
    ----------
    path
        The folder.
    sha256
        Of the manifest, which names the SHA-256 of every other file.
    manifest
        As written by the trainer; `ecgscreen info` shows the most of it.
    preprocessing
        How the encoder's input is made.
    """

    path: Path
    sha256: str
    manifest: dict[str, Any]
    preprocessing: PreprocessConfig
    contents: dict[str, bytes]

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.manifest["name"])

    @property
    def embedding_size(self) -> int:
        """D."""
        return int(self.manifest["embedding_size"])

    @property
    def encoder_onnx(self) -> bytes:
        """The encoder, as an ONNX file's bytes."""
        return self.contents["encoder.onnx"]

    @cached_property
    def concepts(self) -> dict[str, NDArray[np.float32]]:
        """Unit vectors, float32 (D,), of the vocabulary's concepts by id."""
        (ids,) = self._arrays("concepts.npz", "ids")
        embeddings = self._embeddings("concepts.npz").astype(np.float32, copy=False)
        self._require("concepts.npz", "ids", ids, "U", embeddings.shape[:1])
        return dict(zip(ids.tolist(), embeddings, strict=True))

    def direction(self, concept_id: str) -> NDArray[np.float32]:
        """The unit vector of a concept, float32 (D,).

        Raises
        ------
        BundleError
            If the bundle is older than the concept.
        """
        try:
            return self.concepts[concept_id]
        except KeyError:
            raise BundleError(
                f"{self.path}: holds no concept {concept_id!r}: it was exported with another "
                "vocabulary",
                "Use the version of ecgscreen that the bundle was made for, or export it again.",
            ) from None

    @cached_property
    def concept_texts(self) -> NDArray[np.float32]:
        """The concepts in the language model's own space, float32 (C, text size), unit vectors.

        Rows in the order of `concepts`; free text is held against them.
        """
        (texts,) = self._arrays("concepts.npz", "texts")
        shape = (len(self.concepts), *(texts.shape[1:2] or (1,)))
        self._require("concepts.npz", "texts", texts, "f", shape)
        return texts.astype(np.float32)

    @cached_property
    def seen_concepts(self) -> frozenset[str]:
        """Concepts that occurred in the training text; others are zero-shot."""
        return frozenset(self.manifest["training"]["seen_concepts"])

    @cached_property
    def text_head(self) -> TextHead:
        """The projection for words that `concepts` does not hold."""
        name, keys = "text_head.npz", TextHead.__dataclass_fields__
        arrays = self._arrays(name, *keys)
        hidden, text_size = len(np.atleast_1d(arrays[0])), self.concept_texts.shape[1]
        size = self.embedding_size
        shapes = ((hidden, text_size), (hidden,), (size, hidden), (size,))
        for key, array, shape in zip(keys, arrays, shapes, strict=True):
            self._require(name, key, array, "f", shape)
        return TextHead(*arrays)

    @cached_property
    def reference(self) -> NDArray[np.float16] | None:
        """Embeddings of the reference population, float16 (R, D), or None if left out."""
        if "reference.npz" not in self.contents:
            return None
        return self._embeddings("reference.npz").astype(np.float16, copy=False)

    @cached_property
    def operating_points(self) -> dict[str, OperatingPoint]:
        """Operating points by concept id, learned on the bundle's validation fold."""
        return self._calibration[0]

    @cached_property
    def platt_scalings(self) -> dict[str, PlattScaling]:
        """Scalings to probabilities by concept id, learned there too; none in older bundles."""
        return self._calibration[1]

    @cached_property
    def _calibration(self) -> tuple[dict[str, OperatingPoint], dict[str, PlattScaling]]:
        name = "calibration.json"
        try:
            document = json.loads(self.contents[name])
            points = document["operating_points"].items()
            scalings = document.get("platt", {}).items()
            return (
                {concept: OperatingPoint(**point) for concept, point in points},
                {concept: PlattScaling(**scaling) for concept, scaling in scalings},
            )
        except NOT_UNDERSTOOD as error:
            raise BundleError(f"{self.path / name}: not understood: {error}", _ADVICE) from error

    @cached_property
    def check(self) -> dict[str, NDArray[Any]]:
        """``windows``, ``lead_mask`` and the ``embeddings`` that an engine must give for them."""
        name, keys = "check.npz", ("windows", "lead_mask", "embeddings")
        arrays = self._arrays(name, *keys)
        of = (len(np.atleast_1d(arrays[0])), len(LEADS))
        shapes = ((*of, self.preprocessing.n_samples), of, (of[0], self.embedding_size))
        for key, array, kind, shape in zip(keys, arrays, "fbf", shapes, strict=True):
            self._require(name, key, array, kind, shape)
        return dict(zip(keys, arrays, strict=True))

    def _arrays(self, name: str, *keys: str) -> list[NDArray[Any]]:
        try:
            return npz_arrays(self.contents[name], *keys)
        except (ValueError, KeyError) as error:
            raise BundleError(f"{self.path / name}: {error}", _ADVICE) from error

    def _require(
        self, name: str, key: str, array: NDArray[Any], kind: str, shape: tuple[int, ...]
    ) -> None:
        try:
            expect_array(key, array, kind, shape)
        except ValueError as error:
            raise BundleError(f"{self.path / name}: {error}", _ADVICE) from error

    def _embeddings(self, name: str) -> NDArray[np.floating]:
        (rows,) = self._arrays(name, "embeddings")
        right = rows.dtype.kind == "f" and rows.shape[1:] == (self.embedding_size,)
        if not (right and np.allclose(np.linalg.norm(rows.astype(np.float32), axis=1), 1, 0, 0.01)):
            raise BundleError(
                f"{self.path / name}: {rows.dtype} embeddings of shape {rows.shape}, expected unit "
                f"vectors of {self.embedding_size} numbers",
                _ADVICE,
            )
        return rows


def default_bundle() -> Path:
    """Where the shipped bundle lies."""
    return Path(str(files("ecgscreen"))) / "models" / "default"


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and check every file of it against the manifest.

    Raises
    ------
    BundleError
        If a file is missing or not what the manifest says, the manifest is of another format
        version or not made for this program, or the encoder keeps weights in other files.
    """
    raw = _read(path, MANIFEST, _MAX_MANIFEST_BYTES)
    try:
        manifest = json.loads(raw)
        version = manifest["format_version"]
        if version == FORMAT_VERSION:
            expected, config = files_and_preprocessing(manifest)
    except NOT_UNDERSTOOD as error:
        raise BundleError(
            f"{path / MANIFEST}: not a bundle's manifest: {error}", _ADVICE
        ) from error
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{path / MANIFEST}: format version {version}, expected {FORMAT_VERSION}",
            "Use the version of ecgscreen that the bundle was made for, or export it again.",
        )
    contents = {}
    for name, (size, sha256) in expected.items():
        contents[name] = _read(path, name, size)
        if len(contents[name]) != size:
            found = f"{len(contents[name])}" if len(contents[name]) < size else "more"
            raise BundleError(f"{path / name}: {found} bytes, expected {size}", _ADVICE)
        if (found := hashlib.sha256(contents[name]).hexdigest()) != sha256:
            raise BundleError(f"{path / name}: SHA-256 {found}, expected {sha256}", _ADVICE)
    try:
        is_whole = holds_its_tensors(contents["encoder.onnx"])
    except ValueError as error:
        raise BundleError(f"{path / 'encoder.onnx'}: no ONNX model: {error}", _ADVICE) from error
    if not is_whole:
        raise BundleError(
            f"{path / 'encoder.onnx'}: keeps weights in other files, expected all of them in it",
            "Do not use this bundle: nothing that ecgscreen exports names other files.",
        )
    return Bundle(path, hashlib.sha256(raw).hexdigest(), manifest, config, contents)


def _read(folder: Path, name: str, limit: int) -> bytes:
    """A file's bytes, at most one more than `limit`, so that a longer file shows as such."""
    try:
        return read_regular(folder / name, limit + 1)
    except OSError as error:
        found = "missing" if isinstance(error, FileNotFoundError) else error.strerror
        raise BundleError(f"{folder / name}: {found}", _ADVICE) from error
