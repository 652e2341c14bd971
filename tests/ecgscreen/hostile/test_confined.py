"""What the other tests of this folder rest on: the guards see who opens, hangs and hoards."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.ecgscreen.hostile import confined as confined_scans
from tests.ecgscreen.hostile.confined import ConfinedScans
from tests.watched import Watch


def test_the_kernel_tells_who_opens_whatever_opens_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    with Watch(file, tmp_path) as watch:
        assert watch.opened() == set()
        file.stat()
        assert watch.opened() == set()
        subprocess.run(["/bin/cat", str(file)], check=True, capture_output=True)
        assert file in watch.opened()
        list(tmp_path.iterdir())
        assert watch.opened() == {tmp_path}


def test_python_code_that_reads_elsewhere_is_seen(
    confined: ConfinedScans, bundle_dir: Path, folder: Path, tmp_path: Path
) -> None:
    """A list of diagnoses, for one, may lie anywhere."""
    words = tmp_path / "mine.txt"
    words.write_text("atrial fibrillation\n")
    outcome = confined.scan(bundle_dir, folder, tmp_path / "out", labels=str(words))
    assert outcome.outside == (str(words),)
    assert outcome.peak_bytes > 0


def test_a_scan_that_hangs_is_ended(
    bundle_dir: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confined_scans, "TIMEOUT_S", 0.01)
    with pytest.raises(AssertionError, match="a hang"):
        ConfinedScans().scan(bundle_dir, folder, tmp_path / "out")
