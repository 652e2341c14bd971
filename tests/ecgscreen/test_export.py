"""Reports made again from the store, and reports that travel."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import h5py
import pytest

from ecgscreen.errors import ExitCode, StoreError, UsageError
from ecgscreen.pseudonyms import KEY_FILE, Pseudonyms, load_pseudonyms
from ecgscreen.remake import export
from ecgscreen.results import record_id_of
from tests.command_line import Run
from tests.ecgscreen.screenings import REPORTS, every_byte, recordings, rows, run_of, scanned

SECRET = "Musterfrau-4711"  # stands in the names of folders and files

LIST = """
[[diagnosis]]
name = "sinus rhythm"

[[diagnosis]]
name = "atrial fibrillation"
threshold = -0.99
"""
"""Its second line is flagged in every recording, so that strips are drawn."""


@pytest.fixture(scope="module")
def screening(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten recordings in folders of patients, two of them faulty. Not to be written to."""
    folder = tmp_path_factory.mktemp("export")
    records = folder / f"ward-{SECRET}"
    recordings(records / f"{SECRET}-a", 5, seed=1, faults=1)
    recordings(records / f"{SECRET}-b", 5, seed=2, faults=1)
    labels = folder / f"list-{SECRET}"
    labels.mkdir()
    (labels / "night.toml").write_text(LIST, "utf-8")
    for header in records.rglob("*.hea"):
        first, rest = header.read_text("ascii").split("\n", 1)
        header.write_text(f"{first} 11:12:13 14/05/2019\n{rest}", "ascii")
    out = folder / "screening"
    scanned(bundle_dir, out, records, labels=str(labels / "night.toml"))
    return out


@pytest.fixture
def copy(screening: Path, tmp_path: Path) -> Path:
    """A copy of the screening, to be written to."""
    return Path(shutil.copytree(screening, tmp_path / "copy"))


def test_the_reports_made_again_are_those_of_the_scan(copy: Path, run: Run) -> None:
    before = {name: (copy / name).read_bytes() for name in REPORTS}
    for name in REPORTS:
        (copy / name).unlink()
    done = run("export", copy)
    assert done.code == ExitCode.OK
    assert "8 of 10 recordings scored" in done.err
    after = {name: (copy / name).read_bytes() for name in REPORTS}
    # HDF5 notes nothing of the time; all five are the same to the last byte.
    assert {name for name in REPORTS if after[name] != before[name]} == set()


def test_reports_go_elsewhere_in_another_language(screening: Path, tmp_path: Path) -> None:
    before = every_byte(screening)
    export(screening, tmp_path / "out", language="de")
    assert (tmp_path / "out" / "report.csv").read_bytes() == (screening / "report.csv").read_bytes()
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert '<html lang="de">' in page
    assert "<svg" in page
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert every_byte(screening) == before


def test_where_there_is_no_screening_that_is_said(run: Run, tmp_path: Path) -> None:
    done = run("export", tmp_path)
    assert done.code == ExitCode.USAGE
    assert "holds no screening" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_travels_names_nothing(copy: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "travels"
    done = run("export", copy, "--out", out, "--pseudonymise-paths")
    assert done.code == ExitCode.OK
    assert {path.name for path in out.iterdir()} == set(REPORTS)
    plain = rows(copy)
    content = every_byte(out).decode("utf-8", "replace")
    told = {SECRET, "sim0", *map(record_id_of, plain)}
    assert {word for word in told if word in content or word in done.err} == set()

    pseudonyms = load_pseudonyms(copy / "store")
    expected = {pseudonyms.of(path): row for path, row in plain.items()}
    found = rows(out)
    # Nor does the order tell who is who.
    assert list(found) == sorted(expected)
    assert {name: list(row.values())[1:] for name, row in found.items()} == {
        name: list(row.values())[1:] for name, row in expected.items()
    }
    with h5py.File(out / "report.h5") as file:
        assert file["records/path"].asstr()[()].tolist() == list(found)
        assert file["records/record_id"].asstr()[()].tolist() == list(found)
        assert file.attrs["list"] == "night.toml"
    assert run_of(out)["pseudonymised"] is True
    assert run_of(out)["list"]["name"] == "night.toml"
    assert run_of(copy)["pseudonymised"] is False


def test_the_strips_travel_too(copy: Path, tmp_path: Path) -> None:
    export(copy, tmp_path / "named")
    export(copy, tmp_path / "nameless", pseudonymise=True)
    strips = []
    assert "2019" in (tmp_path / "named" / "report.html").read_text("utf-8")
    assert b"2019" not in every_byte(tmp_path / "nameless")
    for folder in ("named", "nameless"):
        page = (tmp_path / folder / "report.html").read_text("utf-8")
        strips.append(sorted(re.findall(r'<path data-lead="[^"]*" d="[^"]*"/>', page)))
    assert strips[0]
    assert strips[0] == strips[1]


def test_ids_need_the_key_and_stay_the_same(copy: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(copy, tmp_path / name, pseudonymise=True)
    assert list(rows(tmp_path / "one")) == list(rows(tmp_path / "two"))
    assert (copy / "store" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    (copy / "store" / KEY_FILE).unlink()
    export(copy, tmp_path / "three", pseudonymise=True)
    assert set(rows(tmp_path / "three")).isdisjoint(rows(tmp_path / "one"))
    assert Pseudonyms(b"a" * 32).of("x") != Pseudonyms(b"b" * 32).of("x")
    assert "aaaa" not in repr(Pseudonyms(b"a" * 32))


def test_a_damaged_key_is_refused(copy: Path) -> None:
    (copy / "store" / KEY_FILE).write_bytes(b"short")
    with pytest.raises(StoreError, match="5 bytes, 32 are expected"):
        load_pseudonyms(copy / "store")


def test_a_screening_does_not_lose_its_names(copy: Path) -> None:
    before = every_byte(copy)
    for out in (None, copy, copy / ".." / "copy"):
        with pytest.raises(UsageError, match="its own reports"):
            export(copy, out, pseudonymise=True)
    assert every_byte(copy) == before


def test_a_scan_without_names(bundle_dir: Path, run: Run, tmp_path: Path) -> None:
    records, out = recordings(tmp_path / SECRET, 4, seed=3, faults=1), tmp_path / "out"
    arguments = ("scan", records, "--labels", "superclass", "--bundle", bundle_dir, "--out", out)
    log = tmp_path / "log"
    done = run(*arguments, "--pseudonymise-paths", "--json", "--log-file", log)
    assert done.code == ExitCode.SOME_NOT_SCORED
    told = [json.loads(line) for line in done.out.splitlines()]
    assert [line["path"] for line in told if line["event"] == "record"] != []
    assert "sim0" not in done.out
    assert not any(record_id_of(f"sim0000{n}.hea") in log.read_text() for n in range(4))
    published = b"".join((out / name).read_bytes() for name in REPORTS)
    assert SECRET.encode() not in published
    assert b"sim0" not in published
    assert "sim0" not in done.err
    first = rows(out)
    assert all(re.fullmatch(r"[0-9a-f]{16}", name) for name in first)
    # The same again: nothing is read, nothing gets another id.
    run(*arguments, "--pseudonymise-paths")
    assert rows(out) == first
    before = (out / "report.csv").read_bytes()
    export(out)
    assert (out / "report.csv").read_bytes() == before


def test_screenings_without_names_are_compared_once_their_key_is_one(
    bundle_dir: Path, run: Run, tmp_path: Path
) -> None:
    records = recordings(tmp_path / "records", 4, seed=3)
    words = ("scan", records, "--labels", "superclass", "--bundle", bundle_dir, "--workers", 0)
    old, new = tmp_path / "old", tmp_path / "new"
    for out in (old, new):
        run(*words, "--out", out, "--pseudonymise-paths")
    refused = run("compare", old, new)
    assert refused.code == ExitCode.USAGE
    assert "ids of different keys" in refused.said
    assert "appeared" not in refused.said

    shutil.copy(old / "store" / KEY_FILE, new / "store" / KEY_FILE)
    run("export", new)
    assert "Nothing changed." in run("compare", old, new).out

    again = run(*words, "--out", old)
    assert "none of them new" in again.said
    assert "sim00000.hea" in rows(old)
    refused = run("compare", old, new)
    assert refused.code == ExitCode.USAGE
    assert f"{old / 'report.h5'} has the names of recordings" in refused.err
    run(*words, "--out", new)
    assert "Nothing changed." in run("compare", old, new).out
