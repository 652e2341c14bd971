"""How many cores are counted, from what Linux says of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engines.processor import has_amx, usable_cores


@pytest.fixture
def eight_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four cores of two threads each, all of them this process's."""
    for thread in range(8):
        folder = tmp_path / f"cpu{thread}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{thread % 4},{thread % 4 + 4}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    return tmp_path


@pytest.mark.parametrize(
    ("share", "expected"),
    [("max 100000", 4), ("250000 100000", 3), ("50000 100000", 1), ("1600000 100000", 4)],
)
def test_cores_not_threads_and_no_more_than_the_share(
    eight_threads: Path, tmp_path: Path, share: str, expected: int
) -> None:
    (tmp_path / "cpu.max").write_text(share + "\n")
    assert usable_cores(eight_threads, tmp_path / "cpu.max") == expected


def test_only_the_cores_of_this_process_count(
    eight_threads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 4, 5})
    assert usable_cores(eight_threads, tmp_path / "absent") == 2


def test_without_a_description_threads_are_counted(tmp_path: Path) -> None:
    assert usable_cores(tmp_path, tmp_path / "absent") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512_bf16 amx_bf16 amx_tile", True), ("fpu avx512_bf16", False)],
)
def test_matrix_units_are_among_the_features(tmp_path: Path, flags: str, expected: bool) -> None:
    processor = f"processor\t: 0\nmodel name\t: A Processor\nflags\t\t: {flags}\nbugs\t\t:\n\n"
    (tmp_path / "cpuinfo").write_text(processor * 2)
    assert has_amx(tmp_path / "cpuinfo") == expected
    assert not has_amx(tmp_path / "absent")
