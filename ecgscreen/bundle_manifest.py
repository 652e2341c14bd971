"""What the manifest of a model bundle has to say."""

from __future__ import annotations

from typing import Any

from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import LEADS

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
FILES = (
    "encoder.onnx",
    "text_head.npz",
    "concepts.npz",
    "reference.npz",
    "calibration.json",
    "check.npz",
)
OPTIONAL_FILES = frozenset({"reference.npz"})
_MAX_FILE_BYTES = 1 << 30

NOT_UNDERSTOOD = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a JSON document raises that is not as it is taken for."""

_EXPECTED = {
    "name": str,
    "embedding_size": int,
    "files": dict,
    "lead_order": list,
    "preprocessing": dict,
    "text_encoder/name": str,
    "text_encoder/sha256": str,
    "training/date": str,
    "training/dataset": list,
    "training/n_recordings": int,
    "training/seen_concepts": list,
    "reference/population": str,
}
"""What the manifest has to say, and of which kind."""


def files_and_preprocessing(
    manifest: dict[str, Any],
) -> tuple[dict[str, tuple[int, str]], PreprocessConfig]:
    """Size and SHA-256 of every file by its name, and how the encoder's input is made.

    Parameters
    ----------
    manifest
        Of `FORMAT_VERSION`, as it was parsed.

    Raises
    ------
    `NOT_UNDERSTOOD`, saying what is not as it should be.
    """
    for key, kind in _EXPECTED.items():
        section, _, entry = key.rpartition("/")
        holder = manifest.get(section) if section else manifest
        value = holder.get(entry) if isinstance(holder, dict) else None
        if not isinstance(value, kind):
            raise TypeError(f"{key} is {value!r}, expected {kind.__name__}")
    seen = manifest["training"]["seen_concepts"]
    if not all(isinstance(concept, str) for concept in seen):
        raise TypeError("training/seen_concepts holds what is no concept's id")
    if tuple(manifest["lead_order"]) != LEADS:
        raise ValueError(f"lead order {manifest['lead_order']}, expected {list(LEADS)}")
    listed = manifest["files"]
    if missing := [name for name in FILES if name not in {*listed, *OPTIONAL_FILES}]:
        raise ValueError(f"does not list {', '.join(missing)}")
    expected = {}
    for name in FILES:
        if name in listed:
            size, sha256 = listed[name]["bytes"], listed[name]["sha256"]
            if not isinstance(size, int) or not 0 <= size <= _MAX_FILE_BYTES:
                raise ValueError(f"{name} of {size!r} bytes, expected up to {_MAX_FILE_BYTES}")
            expected[name] = (size, sha256)
    return expected, PreprocessConfig.from_dict(manifest["preprocessing"])
