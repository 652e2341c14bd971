"""The cache of built TensorRT engines: each with a manifest that says what it was built for.

An engine is specific to a device and a version, so it is built where it runs and never shipped.
One that was built for something else is stale, and is built anew. One whose bytes are not those
that were built is refused: a file that changes by itself is a disk or a person to look at.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from engines.base import EngineUnavailableError
from engines.cuda_driver import Device
from engines.regular_file import read_regular
from engines.tensorrt_build import FULL_BATCH, TensorRT, build_engine

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 1 << 20
_MAX_ENGINE_BYTES = 1 << 32
_NOT_COMPARED = frozenset({"engine_file", "engine_bytes", "engine_sha256", "built_utc", "build_s"})


@dataclass(frozen=True)
class EngineManifest:
    """What an engine was built from, for what, and what came out.

    Attributes
    ----------
    format_version
        `FORMAT_VERSION`.
    package, version
        Of TensorRT.
    device, compute_capability, cuda_version
        See `engines.cuda_driver.Device`.
    precision
        Of the convolutions.
    max_batch
        The largest batch, for which the kernels were chosen; the smallest is 1.
    encoder_sha256
        Of the bundle's ONNX file.
    bundle_sha256
        Of the bundle's manifest, where it was known; else empty.
    engine_file, engine_bytes, engine_sha256
        The engine, in the same folder.
    built_utc, build_s
        When, and how many seconds it took.
    """

    format_version: int
    package: str
    version: str
    device: str
    compute_capability: str
    cuda_version: str
    precision: str
    max_batch: int
    encoder_sha256: str
    bundle_sha256: str
    engine_file: str = ""
    engine_bytes: int = 0
    engine_sha256: str = ""
    built_utc: str = ""
    build_s: float = 0.0

    def stale(self, wanted: EngineManifest) -> str:
        """Why this is not the engine that is wanted; empty where it is."""
        for field in fields(self):
            found, expected = getattr(self, field.name), getattr(wanted, field.name)
            # An engine that a scan built knows no bundle, only the encoder in it.
            if field.name == "bundle_sha256" and not (found and expected):
                continue
            if field.name not in _NOT_COMPARED and found != expected:
                return f"{field.name} was {found}, is {expected}"
        return ""


@dataclass(frozen=True)
class CompiledEngine:
    """A built engine, checked.

    Attributes
    ----------
    folder
        Where it lies.
    manifest
        See there.
    content
        The serialised engine.
    built_because
        Why it was built just now; empty where the cache had it.
    """

    folder: Path
    manifest: EngineManifest
    content: bytes
    built_because: str


def default_cache() -> Path:
    """ECGSCREEN_CACHE, or the user's cache folder by the XDG Base Directory Specification 0.8."""
    if own := os.environ.get("ECGSCREEN_CACHE"):
        return Path(own)
    named = os.environ.get("XDG_CACHE_HOME", "")
    # "All paths must be absolute"; others are to be ignored.
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    return base / "ecgscreen" / "engines"


def load_or_build(
    tensorrt: TensorRT,
    device: Device,
    onnx: bytes,
    precision: str,
    *,
    cache: Path | None = None,
    bundle_sha256: str = "",
    fresh: bool = False,
) -> CompiledEngine:
    """The engine for an encoder on a device, from the cache or built into it.

    Parameters
    ----------
    tensorrt, device, onnx, precision
        What it is to be built with, for and from.
    cache
        A folder; None: `default_cache`.
    bundle_sha256
        Of the bundle that the encoder is from, where it is known.
    fresh
        Build it whatever the cache holds.

    Raises
    ------
    EngineUnavailableError
        If it cannot be built or kept, or the engine in the cache is damaged.
    """
    wanted = EngineManifest(
        format_version=FORMAT_VERSION,
        package=tensorrt.package,
        version=tensorrt.version,
        device=device.name,
        compute_capability=device.compute_capability,
        cuda_version=device.cuda_version,
        precision=precision,
        max_batch=FULL_BATCH,
        encoder_sha256=hashlib.sha256(onnx).hexdigest(),
        bundle_sha256=bundle_sha256,
    )
    folder = (cache or default_cache()) / _folder_name(wanted)
    found = None if fresh else _read_manifest(folder)
    why = "asked for" if fresh else "there was none" if found is None else found.stale(wanted)
    if found is not None and not why:
        return CompiledEngine(folder, found, _read_engine(folder, found), "")
    start = time.perf_counter()
    content = build_engine(tensorrt, onnx, precision)
    manifest = _keep(folder, wanted, content, time.perf_counter() - start)
    return CompiledEngine(folder, manifest, content, why)


def _folder_name(wanted: EngineManifest) -> str:
    """What may lie side by side: encoders, precisions, kinds of device, packages."""
    kind = f"sm{wanted.compute_capability.replace('.', '')}"
    return "-".join((wanted.package, wanted.encoder_sha256[:16], wanted.precision, kind))


def _read_manifest(folder: Path) -> EngineManifest | None:
    path = folder / MANIFEST
    try:
        document = json.loads(read_regular(path, _MAX_MANIFEST_BYTES))
        if document["format_version"] != FORMAT_VERSION:
            document = {name: document.get(name) for name in EngineManifest.__annotations__}
        return EngineManifest(**document)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EngineUnavailableError(f"{path}: {error.strerror}", _advice(folder)) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EngineUnavailableError(
            f"{path}: not an engine's manifest: {error}", _advice(folder)
        ) from error


def _read_engine(folder: Path, manifest: EngineManifest) -> bytes:
    name, size = manifest.engine_file, manifest.engine_bytes
    if not (isinstance(name, str) and isinstance(size, int) and 0 <= size <= _MAX_ENGINE_BYTES):
        raise EngineUnavailableError(
            f"{folder / MANIFEST}: names an engine {name!r} of {size!r} bytes", _advice(folder)
        )
    path = folder / Path(name).name
    try:
        content = read_regular(path, size + 1)
    except OSError as error:
        raise EngineUnavailableError(f"{path}: {error.strerror}", _advice(folder)) from error
    if (found := hashlib.sha256(content).hexdigest()) != manifest.engine_sha256:
        raise EngineUnavailableError(
            f"{path}: SHA-256 {found}, expected {manifest.engine_sha256}: not what was built",
            _advice(folder),
        )
    return content


def _keep(folder: Path, wanted: EngineManifest, content: bytes, seconds: float) -> EngineManifest:
    sha256 = hashlib.sha256(content).hexdigest()
    built: Mapping[str, object] = {
        # The hash in the name: a build that is interrupted here leaves the last engine whole.
        "engine_file": f"{sha256[:16]}.engine",
        "engine_bytes": len(content),
        "engine_sha256": sha256,
        "built_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "build_s": round(seconds, 3),
    }
    manifest = EngineManifest(**{**asdict(wanted), **built})
    text = json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _publish(folder / manifest.engine_file, content)
        _publish(folder / MANIFEST, text.encode())
        for other in folder.glob("*.engine"):
            if other.name != manifest.engine_file:
                other.unlink(missing_ok=True)
    except OSError as error:
        raise EngineUnavailableError(
            f"{folder}: the engine cannot be kept: {error.strerror}",
            "Set ECGSCREEN_CACHE to a folder that can be written.",
        ) from error
    return manifest


def _publish(path: Path, content: bytes) -> None:
    """Write beside the place, sync, rename: the file is whole or not there."""
    descriptor, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise


def _advice(folder: Path) -> str:
    return f"Build it anew with ecgscreen compile --fresh, or remove {folder}."
