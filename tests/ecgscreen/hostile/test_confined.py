"""What the other tests of this folder rest on: the guards see who opens, hangs and hoards."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.ecgscreen.hostile import confined as confined_scans
from tests.ecgscreen.hostile.confined import ConfinedScans
from tests.ecgscreen.hostile.conftest import HEALTHY
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
    scans = ConfinedScans()
    with pytest.raises(AssertionError, match="a hang"):
        scans.scan(bundle_dir, folder, tmp_path / "out")
    scans.close()


def test_what_is_healthy_passes_the_same_guards(
    confined: ConfinedScans, bundle_dir: Path, folder: Path, tmp_path: Path
) -> None:
    """The limits are for what lies: a record of segments is scored, and its part is no row."""
    content = (folder / "healthy.dat").read_bytes()
    text = (folder / HEALTHY).read_text().replace("healthy", "part")
    head, rest = text.split("\n", 1)
    n_samples = int(head.split()[3])
    (folder / "part.hea").write_text(
        f"{head.replace(f' {n_samples}', f' {n_samples // 2}')}\n{rest}"
    )
    (folder / "part.dat").write_bytes(content[: len(content) // 2])
    lines = f"part {n_samples // 2}\n" * 2
    rate = head.split()[2]
    (folder / "whole.hea").write_text(f"whole/2 12 {rate} {n_samples // 2 * 2}\n{lines}")
    outcome = confined.scan(bundle_dir, folder, tmp_path / "out")
    assert {path: row["status"] for path, row in outcome.rows.items()} == {
        HEALTHY: "scored",
        "whole.hea": "scored",
    }
