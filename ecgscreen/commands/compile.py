"""``ecgscreen compile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecgscreen.commands.options import Bundle, EngineName, Precision

NOTHING = {
    "openvino": "openvino compiles the encoder whenever it is loaded, in about a tenth of a second",
    "pytorch": "pytorch runs the encoder as it is",
}


def compile_engine(
    bundle: Bundle = None,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Only tensorrt has something to compile.")
    ] = "tensorrt",
    precision: Precision = "auto",
    cache: Annotated[
        Path | None,
        typer.Option(
            envvar="ECGSCREEN_CACHE",
            help="Folder of engines; a scan looks where ECGSCREEN_CACHE points, or in the user's "
            "cache folder.",
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Build it whatever is there.")] = False,
) -> None:
    """Build a bundle's TensorRT engine for this device, into the cache.

    A scan does so by itself where there is none; this command does it before the night.
    """
    from ecgscreen.bundle import default_bundle, load_bundle
    from ecgscreen.errors import EngineError
    from engines.base import EngineUnavailableError

    if engine != "tensorrt":
        typer.echo(f"nothing to compile: {NOTHING[engine]}")
        return
    from engines.tensorrt import compile_for_this_device

    loaded = load_bundle(bundle or default_bundle())
    try:
        compiled = compile_for_this_device(
            loaded.encoder_onnx,
            precision,
            cache=cache,
            bundle_sha256=loaded.sha256,
            fresh=fresh,
        )
    except EngineUnavailableError as error:
        raise EngineError(error.message, error.advice) from error
    made = compiled.manifest
    typer.echo(
        f"built in {made.build_s:.1f} s: {compiled.built_because}"
        if compiled.built_because
        else f"already built, on {made.built_utc}"
    )
    typer.echo(f"engine {made.package} {made.version}, {made.precision}")
    typer.echo(f"device {made.device}, compute capability {made.compute_capability}")
    typer.echo(f"bundle {loaded.name}, SHA-256 {loaded.sha256}")
    typer.echo(f"file   {compiled.folder / made.engine_file}, {made.engine_bytes / 1e6:.1f} MB")
    typer.echo("ecgscreen verify --engine tensorrt holds it against the reference")
