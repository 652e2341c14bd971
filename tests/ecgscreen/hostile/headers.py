"""Headers by hand: twelve leads at 500 Hz, unless a test says otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ecgscreen.recording import LEADS

N_SAMPLES = 5000


def header(
    signal_file: str = "rec.dat",
    *,
    n_samples: str = f"{N_SAMPLES}",
    form: str = "16",
    rate: int = 500,
) -> str:
    """A header whose twelve signals lie in one file."""
    lines = [f"{signal_file} {form} 1000(0)/mV 16 0 0 0 0 {lead}" for lead in LEADS]
    return "\n".join([f"rec 12 {rate} {n_samples}", *lines]) + "\n"


def samples(n_samples: int = N_SAMPLES) -> bytes:
    """Beats that would be scored if they were read."""
    times = np.arange(n_samples)[:, np.newaxis] / 500
    beats = 1000 * np.exp(-(((times % 0.8) - 0.4) ** 2) / 0.0008)
    content: bytes = (beats * np.linspace(0.5, 1.5, len(LEADS))).astype("<i2").tobytes()
    return content


def write(folder: Path, text: str, content: bytes | None = None, name: str = "rec") -> None:
    """Write a header, and its signal file where there is one."""
    (folder / f"{name}.hea").write_text(text)
    if content is not None:
        (folder / f"{name}.dat").write_bytes(content)


def secret(path: Path) -> Path:
    """A file outside that would be a good signal file: who follows the name scores it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(samples())
    return path
