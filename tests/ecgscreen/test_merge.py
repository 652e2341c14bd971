"""Several screenings become one: what one scan over all would have left, and no recording twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ecgscreen.errors import ExitCode, UsageError
from ecgscreen.merging import merge
from ecgscreen.screening_status import status_of
from tests.command_line import Run
from tests.ecgscreen.bundles import rewritten
from tests.ecgscreen.reports_read import reports_of
from tests.ecgscreen.screenings import every_byte, recordings, rows, scanned


@pytest.fixture(scope="module")
def wards(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders with recordings of the same names, and a screening of each; of both, too."""
    folder = tmp_path_factory.mktemp("merge")
    for number, ward in enumerate(("a", "b")):
        recordings(folder / ward, 4, seed=number, faults=1)
        scanned(bundle_dir, folder / f"out-{ward}", folder / ward)
    scanned(bundle_dir, folder / "out-both", folder / "a", folder / "b")
    return folder


def test_merged_they_are_what_one_scan_leaves(wards: Path, run: Run, tmp_path: Path) -> None:
    before = every_byte(wards)
    done = run("merge", wards / "out-a", wards / "out-b", "--out", tmp_path / "c")
    assert done.code == ExitCode.OK
    assert f"{wards / 'out-a'}: 4 recordings" in done.err
    assert "6 of 8 recordings scored" in done.err
    assert reports_of(tmp_path / "c").csv == reports_of(wards / "out-both").csv
    assert reports_of(tmp_path / "c").arrays == reports_of(wards / "out-both").arrays
    assert every_byte(wards) == before


def test_a_later_scan_goes_on_from_there(wards: Path, bundle_dir: Path, tmp_path: Path) -> None:
    merge([wards / "out-a", wards / "out-b"], tmp_path / "c")
    waiting = status_of(tmp_path / "c").waiting
    assert waiting is not None
    assert (waiting.new, waiting.changed, waiting.n_gone) == ((), (), 0)
    result = scanned(bundle_dir, tmp_path / "c", wards / "a", wards / "b")
    assert result.summary.n_new == 0
    assert reports_of(tmp_path / "c").csv == reports_of(wards / "out-both").csv


def test_what_several_hold_is_taken_once(wards: Path, bundle_dir: Path, tmp_path: Path) -> None:
    some = tmp_path / "some"
    scanned(bundle_dir, some, wards / "a", wards / "b" / "sim00001.hea")
    whole = merge([some, wards / "out-both"], tmp_path / "c")
    assert whole.n_twice == 5
    assert len(rows(tmp_path / "c")) == 8
    assert rows(tmp_path / "c") == rows(wards / "out-both")


def test_scored_comes_before_not_scored(wards: Path, bundle_dir: Path, tmp_path: Path) -> None:
    """The night that met a folder without permission, and the next one."""
    records = Path(shutil.copytree(wards / "a", tmp_path / "records"))
    gone = records / "sim00001.dat"
    kept = gone.read_bytes()
    gone.unlink()
    scanned(bundle_dir, tmp_path / "early", records)
    gone.write_bytes(kept)
    scanned(bundle_dir, tmp_path / "late", records)
    assert rows(tmp_path / "early")["sim00001.hea"]["status"] == "error"
    for order in (("early", "late"), ("late", "early")):
        out = tmp_path / "-".join(order)
        merge([tmp_path / name for name in order], out)
        assert rows(out) == rows(tmp_path / "late")


def test_one_path_of_two_contents_is_refused_and_named(
    wards: Path, bundle_dir: Path, run: Run, tmp_path: Path
) -> None:
    records = Path(shutil.copytree(wards / "a", tmp_path / "records"))
    scanned(bundle_dir, tmp_path / "before", records)
    for suffix in (".hea", ".dat"):
        shutil.copy(wards / "b" / f"sim00001{suffix}", records / f"sim00001{suffix}")
    scanned(bundle_dir, tmp_path / "after", records)
    out = tmp_path / "c"
    done = run("merge", tmp_path / "before", tmp_path / "after", "--out", out)
    assert done.code == ExitCode.USAGE
    assert "'sim00001.hea'" in done.err
    assert "--prefix" in done.err
    assert not out.exists()
    merge([tmp_path / "before", tmp_path / "after"], out, prefix=True)
    found = rows(out)
    for name in ("before", "after"):
        for path, row in rows(tmp_path / name).items():
            assert found.pop(f"{name}/{path}") == {**row, "path": f"{name}/{path}"}
    assert found == {}
    # A scan would find none of these names.
    before_the_scan = every_byte(out / "store")
    with pytest.raises(UsageError, match="was merged with --prefix"):
        scanned(bundle_dir, out, records)
    assert every_byte(out / "store") == before_the_scan


def test_a_touched_file_is_no_other_content(wards: Path, bundle_dir: Path, tmp_path: Path) -> None:
    records = Path(shutil.copytree(wards / "a", tmp_path / "records"))
    scanned(bundle_dir, tmp_path / "before", records)
    (records / "sim00001.hea").touch()
    scanned(bundle_dir, tmp_path / "after", records)
    merged = merge([tmp_path / "before", tmp_path / "after"], tmp_path / "c")
    assert merged.n_twice == 4
    assert rows(tmp_path / "c") == rows(tmp_path / "after")


def test_a_relative_folder_means_the_same_one(
    wards: Path, bundle_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(wards)
    scanned(bundle_dir, tmp_path / "one", Path("a"))
    monkeypatch.chdir(wards / "b")
    scanned(bundle_dir, tmp_path / "two", Path("../b"))
    merge([tmp_path / "one", tmp_path / "two"], tmp_path / "c")
    assert reports_of(tmp_path / "c").csv == reports_of(wards / "out-both").csv


@pytest.mark.parametrize("what", ["bundle", "list", "nothing", "same", "single"])
def test_what_does_not_go_together_is_refused(
    wards: Path, bundle_dir: Path, tmp_path: Path, what: str
) -> None:
    other = tmp_path / "other"
    expected = what
    folders = [wards / "out-a", other]
    if what == "bundle":
        scanned(rewritten(bundle_dir, tmp_path / "bundle", name="retrained"), other, wards / "b")
        expected = r"the same bundle \(tiny and retrained\)$"
    elif what == "list":
        scanned(bundle_dir, other, wards / "b", labels="rhythm.txt")
        expected = r"the same list \(superclass.txt and rhythm.txt\)$"
    elif what == "same":
        folders = [wards / "out-a", wards / "." / "out-a"]
        expected = "at least two different|one and the same"
    elif what == "single":
        folders = [wards / "out-a"]
        expected = "single"
    else:
        other.mkdir()
        expected = "holds no screening"
    with pytest.raises(UsageError, match=expected):
        merge(folders, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_folder_in_use_is_no_target(wards: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "notes.txt").touch()
    with pytest.raises(UsageError, match="is not empty"):
        merge([wards / "out-a", wards / "out-b"], tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["notes.txt"]
