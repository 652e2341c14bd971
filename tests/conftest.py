"""Fixtures that several packages' tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA_DIR = Path(
    os.environ.get("ECGSCREEN_DATA", Path(__file__).parents[1].parent / "shared" / "data")
)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings; the test is skipped where it is absent."""
    if not (DATA_DIR / "ptb-xl").is_dir():
        pytest.skip(f"real recordings are not at {DATA_DIR} (set ECGSCREEN_DATA)")
    return DATA_DIR
