"""Bundles that are whole by their hashes and differ in what they hold."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ecgscreen.bundle_manifest import MANIFEST


def rewritten(
    bundle: Path,
    folder: Path,
    *,
    contents: Mapping[str, bytes | None] | None = None,
    **manifest: Any,
) -> Path:
    """Copy a bundle with some files replaced (None: left out), and entries of its manifest."""
    document = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    all_contents: dict[str, bytes | None] = {
        name: (bundle / name).read_bytes() for name in document["files"]
    }
    all_contents |= contents or {}
    folder.mkdir(parents=True)
    document["files"] = {}
    for name, content in all_contents.items():
        if content is not None:
            (folder / name).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            document["files"][name] = {"bytes": len(content), "sha256": digest}
    document |= manifest
    (folder / MANIFEST).write_text(json.dumps(document), encoding="utf-8")
    return folder


def npz(**arrays: Any) -> bytes:
    """Arrays as the bytes of an NPZ file, pickles too if need be."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
