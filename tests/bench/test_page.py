"""The benchmark of how long the page takes to open runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.test_scan import run
from tests.browser import NAMES, find_browser


def test_the_page_is_opened(bundle_dir: Path) -> None:
    if find_browser() is None:
        pytest.skip(f"no browser is installed ({', '.join(NAMES)})")
    options = ("--counts", 20, "--rounds", 1, "--bundle", bundle_dir)
    _, _, row = run("bench.page", *options)
    _, count, megabytes, seconds, _ = (cell.strip() for cell in row.split("|"))
    assert count == "20"
    assert float(megabytes) > 0
    assert float(seconds) > 0
