"""Object storage as a folder of recordings, on fsspec's file system in memory."""

from __future__ import annotations

import pickle
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgscreen.bundle import load_bundle
from ecgscreen.cluster_worker import ClusterJob, embed_chunk
from ecgscreen.discover import Discovery
from ecgscreen.errors import MissingExtraError, ObjectStoreLostError, UsageError
from ecgscreen.found import Found
from ecgscreen.locate import open_shown
from ecgscreen.merging import merge
from ecgscreen.objects import held, outage, store
from ecgscreen.objects.address import is_object, path_of_text, spelled
from ecgscreen.objects.errors import ObjectStoreError
from ecgscreen.packing import pack_found, unpack_rows
from ecgscreen.readers import read_recording
from ecgscreen.readers.pieces import Pieces
from ecgscreen.recording import Recording, SkippedRecording, SkipReason
from ecgscreen.results import RecordResult, Status
from ecgscreen.share import Share
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.simulate.wfdb_writer import write_wfdb
from ecgscreen.stamp import NOT_THERE
from tests.ecgscreen.formats.table import FORMATS
from tests.ecgscreen.object_server import upload
from tests.ecgscreen.screenings import recordings, rows, scanned
from tests.ecgscreen.wfdb_written import write_by_wfdb

ADDRESS = "memory://ward/night"
ROOT = path_of_text(ADDRESS)
HEART = simulate(SimulationSettings(Rhythm.SINUS, sampling_rate=100.0)).recording


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty store; and no temporary file outlives a test."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    system = store.file_system("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    assert list(temporary.iterdir()) == []


class Fetched:
    """What was fetched of a store."""

    def __init__(self, system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.n_bytes = 0
        cat_file = system.cat_file

        def noting(path: str, start: int, end: int) -> bytes:
            self.names.append(path.rpartition("/")[2])
            self.n_bytes += end - start
            content: bytes = cat_file(path, start=start, end=end)
            return content

        monkeypatch.setattr(system, "cat_file", noting)


@pytest.fixture
def fetched(system: Any, monkeypatch: pytest.MonkeyPatch) -> Fetched:
    return Fetched(system, monkeypatch)


def of_every_kind(folder: Path) -> Path:
    """Every format; records with segments, or other names; and what is none, or damaged."""
    for number, form in enumerate(FORMATS.values()):
        settings = SimulationSettings(Rhythm.SINUS, sampling_rate=form.sampling_rate, seed=number)
        (folder / f"{number}").mkdir(parents=True)
        form.write(simulate(settings).recording, folder / f"{number}")
    write_by_wfdb(HEART, folder, "212")
    write_by_wfdb(HEART, folder, "516")
    for name in ("renamed", "part"):
        write_wfdb(HEART, folder, name)
    (folder / "renamed.dat").rename(folder / "other.dat")
    header = folder / "renamed.hea"
    header.write_text(header.read_text().replace("renamed.dat", "other.dat"))
    (folder / "whole.hea").write_text("whole/2 12 100 2000\npart 1000\npart 1000\n")
    (folder / "lonely.dat").write_bytes(b"\0" * 99)
    (folder / "lost.hea").write_text("lost 1 100 1000\nlost.dat 16 200 16 0 0 0 0 I\n")
    (folder / "empty.edf").write_bytes(b"")
    (folder / "cut.xml").write_bytes(b"<?xml")
    (folder / "packed.hea.gz").write_bytes(b"\x1f\x8b")
    (folder / "packed.dat.gz").write_bytes(b"\x1f\x8b")
    (folder / "notes.txt").write_text("no recording")
    return folder


def of_folder(out: Path, root: Path) -> list[dict[str, str]]:
    """The rows without the root's name."""
    return [
        {**row, "path": path.removeprefix(f"{spelled(root)}/")} for path, row in rows(out).items()
    ]


def test_every_format_is_read_as_from_a_folder(
    bundle_dir: Path, tmp_path: Path, fetched: Fetched
) -> None:
    folder = of_every_kind(tmp_path / "records")
    upload(folder, ADDRESS)
    local = scanned(bundle_dir, tmp_path / "local", folder)
    scan = scanned(bundle_dir, tmp_path / "objects", ROOT)
    assert of_folder(tmp_path / "objects", ROOT) == of_folder(tmp_path / "local", folder)
    assert scan.summary.by_status == local.summary.by_status
    assert scan.summary.by_status[Status.SCORED] == len(FORMATS) + 4
    assert scan.provenance.n_ignored == local.provenance.n_ignored == 1
    fetched.names.clear()
    assert scanned(bundle_dir, tmp_path / "objects", ROOT).summary.n_new == 0
    # Looked at again: what is no recording or could not be read, holds several, or has segments.
    assert sorted(set(fetched.names)) == [
        *("cut.xml", "lonely.dat", "lost.hea", "notes.txt", "packed.hea.gz", "part.hea"),
        *("whole.hea", "written.hdf5"),
    ]


def test_several_sources_and_shares_are_one_screening(bundle_dir: Path, tmp_path: Path) -> None:
    folder, other = recordings(tmp_path / "a", 5, seed=1), recordings(tmp_path / "b", 3, seed=2)
    upload(folder, ADDRESS)
    scanned(bundle_dir, tmp_path / "whole", ROOT, other)
    assert len(rows(tmp_path / "whole")) == 8
    for number in (1, 2):
        out = tmp_path / f"share-{number}"
        scanned(bundle_dir, out, ROOT, other, share=Share(number, 2))
    merge([tmp_path / "share-1", tmp_path / "share-2"], tmp_path / "merged")
    assert rows(tmp_path / "merged") == rows(tmp_path / "whole")
    # One root alone, and another alone: their names do not change in the whole.
    scanned(bundle_dir, tmp_path / "one", ROOT)
    scanned(bundle_dir, tmp_path / "two", other)
    merge([tmp_path / "one", tmp_path / "two"], tmp_path / "both")
    assert rows(tmp_path / "both") == rows(tmp_path / "whole")


@pytest.mark.parametrize("name", ["../secret/rec", "/etc/passwd", "memory://ward/secret/rec.dat"])
def test_a_header_leads_nowhere(system: Any, fetched: Fetched, name: str) -> None:
    system.pipe_file("ward/secret/rec.dat", b"\0" * 2000)
    header = f"rec 1 100 1000\n{name} 16 200 16 0 0 0 0 I\n".encode()
    system.pipe_file("ward/night/rec.hea", header)
    (found,) = Discovery([ROOT])
    refused = read_recording(found.path, found.root)
    assert isinstance(refused, SkippedRecording)
    assert refused.reason is SkipReason.OUTSIDE_FOLDER
    assert fetched.names == ["rec.hea"] * 2


def test_nothing_is_fetched_below_a_folder_of_this_machine(tmp_path: Path, system: Any) -> None:
    write_wfdb(HEART, tmp_path, "rec")
    upload(tmp_path, ADDRESS)
    refused = read_recording(ROOT / "rec.hea", tmp_path)
    assert isinstance(refused, SkippedRecording)
    assert refused.reason is SkipReason.OUTSIDE_FOLDER
    assert isinstance(read_recording(ROOT / "rec.hea", ROOT), Recording)


def test_what_cannot_be_opened_by_its_name_is_a_row(system: Any, bundle_dir: Path) -> None:
    system.pipe_file("ward/night/a.hea", b"")
    system.pipe_file("ward/night//b.hea", b"")
    system.pipe_file("ward/night/c.zip", b"PK")
    system.pipe_file("ward/night/.hidden.hea", b"")
    discovery = Discovery([ROOT])
    found = {one.name: one.problem for one in discovery}
    assert sorted(found) == [f"{ADDRESS}//", f"{ADDRESS}/a.hea", f"{ADDRESS}/c.zip"]
    nameless, archive = found[f"{ADDRESS}//"], found[f"{ADDRESS}/c.zip"]
    assert nameless is not None
    assert nameless.reason is SkipReason.NOT_A_FILE
    assert archive is not None
    assert archive.reason is SkipReason.UNSUPPORTED
    assert discovery.ignored == 1


def test_a_folder_that_cannot_be_listed_is_a_row_and_its_recordings_stay(
    system: Any, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(recordings(tmp_path / "a", 2, seed=1), f"{ADDRESS}/a")
    upload(recordings(tmp_path / "b", 2, seed=2), f"{ADDRESS}/b")
    out = tmp_path / "out"
    scanned(bundle_dir, out, ROOT)
    ls = system.ls

    def broken(path: str, detail: bool) -> object:
        if path.endswith("/a"):
            raise ObjectStoreError("SlowDown")
        return ls(path, detail=detail)

    monkeypatch.setattr(system, "ls", broken)
    summary = scanned(bundle_dir, out, ROOT).summary
    assert summary.by_status[Status.SCORED] == 4
    assert rows(out)[f"{ADDRESS}/a/"]["reason"].startswith(SkipReason.READ_ERROR)
    monkeypatch.undo()


def test_a_store_that_answers_no_more_ends_the_scan_which_goes_on_later(
    system: Any, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(recordings(tmp_path / "a", 9, seed=1), ADDRESS)
    monkeypatch.setattr(outage, "MOST_FAILURES", 4)
    cat_file = system.cat_file

    def failing(path: str, start: int, end: int) -> object:
        if path >= "ward/night/sim00003":
            raise TimeoutError
        return cat_file(path, start=start, end=end)

    with monkeypatch.context() as patch:
        patch.setattr(system, "cat_file", failing)
        with pytest.raises(ObjectStoreLostError, match=r"4 recordings, one .* says TimeoutError"):
            scanned(bundle_dir, tmp_path / "out", ROOT)
    summary = scanned(bundle_dir, tmp_path / "out", ROOT).summary
    assert summary.by_status[Status.SCORED] == 9
    assert summary.n_new == 9  # of both runs


def test_what_cannot_be_looked_into_is_a_row_and_nothing_of_it_is_gone(
    system: Any, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "records", tmp_path / "out"
    folder.mkdir()
    settings = SimulationSettings(Rhythm.SINUS, sampling_rate=400.0)
    FORMATS["HDF5, CODE-15 %"].write(simulate(settings).recording, folder)
    (folder / "notes.txt").write_text("no recording")
    upload(folder, ADDRESS)
    scanned(bundle_dir, out, ROOT)
    cat_file = system.cat_file

    def failing(path: str, start: int, end: int) -> object:
        if path.endswith("written.hdf5"):
            raise TimeoutError
        return cat_file(path, start=start, end=end)

    recording, container = f"{ADDRESS}/written.hdf5/70041", f"{ADDRESS}/written.hdf5/"
    with monkeypatch.context() as patch:
        patch.setattr(system, "cat_file", failing)
        for _ in range(2):
            assert scanned(bundle_dir, out, ROOT).summary.n_new == 1
            states = {path: row["status"] for path, row in rows(out).items()}
            assert states == {recording: Status.SCORED, container: Status.ERROR}
    scanned(bundle_dir, out, ROOT)
    assert list(rows(out)) == [recording]


def test_only_what_was_written_since_then_is_looked_at(bundle_dir: Path, tmp_path: Path) -> None:
    upload(recordings(tmp_path / "a", 2, seed=1), ADDRESS)
    for year, n_scored in ((2999, 0), (2000, 2)):
        since = datetime(year, 1, 1, tzinfo=UTC)
        summary = scanned(bundle_dir, tmp_path / "out", ROOT, since=since).summary
        assert summary.by_status[Status.SCORED] == n_scored


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    store.file_system.cache_clear()
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError) as told:
        store.check_root(ROOT)
    assert told.value.advice == "pip install 'ecgscreen[s3]'"


def test_a_single_object_is_a_root(bundle_dir: Path, tmp_path: Path) -> None:
    upload(recordings(tmp_path / "a", 2, seed=1), ADDRESS)
    scanned(bundle_dir, tmp_path / "out", ROOT / "sim00000.hea")
    assert list(rows(tmp_path / "out")) == [f"{ADDRESS}/sim00000.hea"]
    again = scanned(bundle_dir, tmp_path / "out", ROOT / "sim00000.hea")
    assert again.summary.n_new == 0
    opened = open_shown(f"{ADDRESS}/sim00000.hea", [ROOT / "sim00000.hea"])
    assert isinstance(opened, Pieces)


def test_a_long_recording_is_fetched_once_and_a_strip_of_it_is_a_small_part(
    bundle_dir: Path, tmp_path: Path, fetched: Fetched
) -> None:
    signal = np.tile(HEART.signal, 250)
    (tmp_path / "records").mkdir()
    write_wfdb(replace(HEART, signal=signal), tmp_path / "records", "long")
    n_bytes = 2 * signal.size
    assert n_bytes > held.WHOLE_BYTES
    upload(tmp_path / "records", ADDRESS)
    result = scanned(bundle_dir, tmp_path / "objects", ROOT)
    assert result.summary.by_status[Status.SCORED] == 1
    assert n_bytes < fetched.n_bytes < 1.05 * n_bytes
    scanned(bundle_dir, tmp_path / "local", tmp_path / "records")
    assert of_folder(tmp_path / "objects", ROOT) == of_folder(tmp_path / "local", ROOT)
    fetched.n_bytes = 0
    opened = open_shown(f"{ADDRESS}/long.hea", [ROOT])
    assert isinstance(opened, Pieces)
    np.testing.assert_array_equal(opened.read(90_000, 91_000), opened.read(0, 1000))
    assert 0 < fetched.n_bytes < 60_000


def test_an_object_that_shrank_after_it_was_listed_is_tried_again(
    system: Any, bundle_dir: Path, tmp_path: Path
) -> None:
    upload(recordings(tmp_path / "a", 2, seed=1), ADDRESS)
    found = [one for one in Discovery([ROOT]) if one.name.endswith("0.hea")]
    content = system.cat_file("ward/night/sim00000.dat")
    system.pipe_file("ward/night/sim00000.dat", content[:-2])
    (row,) = embedded(bundle_dir, found)
    assert (row.status, row.reason) == (Status.ERROR, SkipReason.READ_ERROR)
    assert row.detail == f"{len(content) - 2} bytes came of the object, {len(content)} were listed"
    sizes = {file.name: file.size for file in row.files}
    assert sizes == {"sim00000.hea": found[0].files[0].size, "sim00000.dat": NOT_THERE}


def embedded(bundle: Path, found: Sequence[Found]) -> list[RecordResult]:
    """As a worker of a cluster does it, in another process."""
    sha256 = load_bundle(bundle).sha256
    job = ClusterJob(bundle, sha256, "openvino", "auto", 8)
    sent = pickle.dumps(pack_found(found))
    assert len(sent) < 1500 * len(found)  # nothing of a listing, or of what was fetched
    return list(unpack_rows(embed_chunk(job, pickle.loads(sent))))


def test_a_worker_of_a_cluster_fetches_for_itself(
    bundle_dir: Path, tmp_path: Path, fetched: Fetched
) -> None:
    upload(recordings(tmp_path / "a", 3, seed=1), ADDRESS)
    found = list(Discovery([ROOT]))
    fetched.names.clear()
    assert [row.status for row in embedded(bundle_dir, found)] == [Status.SCORED] * 3
    assert len(fetched.names) == 6


def test_addresses_and_paths() -> None:
    assert str(ROOT) == "//memory:/ward/night"
    assert spelled(ROOT / "a.hea") == f"{ADDRESS}/a.hea"
    assert path_of_text("s3a://ward/night/") == path_of_text("s3://ward/night")
    assert is_object(ROOT)
    assert is_object(f"{ROOT}/a")
    for local in ("s3:/ward", "/s3:/ward", "s3", "://x"):
        assert not is_object(path_of_text(local))
        assert path_of_text(local) == Path(local)
    # What a user could type to have it taken for an object.
    assert not is_object(path_of_text("//s3:/ward"))
    for refused in ("http://host/x", "file:///x", "gs://ward", "s3:///x", "s3://ward//x"):
        with pytest.raises(UsageError):
            path_of_text(refused)
