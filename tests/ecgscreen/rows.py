"""Rows of a run store, as a scan would have made them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecgscreen.results import RecordResult, Status, record_id_of


def scored(
    path: str, n_windows: int = 1, *, seed: int = 0, size: int = 16, **fields: Any
) -> RecordResult:
    """A recording of some windows, whose embeddings are unit vectors of a size."""
    windows = np.random.default_rng(seed).standard_normal((n_windows, size))
    windows /= np.linalg.norm(windows, axis=1, keepdims=True)
    made = {
        "path": path,
        "record_id": record_id_of(path),
        "status": Status.SCORED,
        "reason": "",
        "detail": "",
        "quality": "usable: V3 flat",
        "sampling_rate": 500.0,
        "duration_s": 10.0 * n_windows,
        "leads": ("I", "II", "V1"),
        "notes": ("unit unknown: µV?", "V3 left out"),
        "window_starts_s": np.arange(n_windows, dtype=np.float32) * 10,
        "embeddings": windows.astype(np.float16),
    }
    return RecordResult(**{**made, **fields})
