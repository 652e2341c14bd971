"""A process that writes a part of the reports: the same files, whatever becomes of it."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing import active_children
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from ecgscreen import stored_rows
from ecgscreen.bundle import default_bundle
from ecgscreen.embedding import Preparing
from ecgscreen.errors import StoreError
from ecgscreen.helper_process import HelperProcess
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.reports import PAGE, ROW_REPORTS, Beside, Report, write_reports
from ecgscreen.reports.blocks import ScoredBlock
from ecgscreen.reports.html import HtmlReport
from ecgscreen.run_store import RunStore
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.screening import STORE, read_basis
from ecgscreen.simulate import write_dataset
from ecgscreen.stored_report import reader_of, report_in_progress, stored_report
from ecgscreen.workers import Crew
from tests.ecgscreen.deadly import Unwelcome

N = 24
MORE_THAN_A_PIPE_HOLDS = 50_000_000


@pytest.fixture
def helper() -> Iterator[HelperProcess]:
    """A worker that has begun, and has nothing to do."""
    with Crew(Preparing(PreprocessConfig()), 2) as crew:
        _ = crew.greeting
        found = crew.last_one()
        assert found is not None
        assert len(active_children()) == 1
        yield found
    assert active_children() == []


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Of a run in progress: its reports are still to be written."""
    folder = tmp_path_factory.mktemp("helped")
    write_dataset(folder / "records", N, seed=9, sampling_rate=100.0, faults=3)
    # The shipped model: what it finds is drawn.
    scan(
        ScanOptions(
            (folder / "records",), "rhythm", folder / "out", bundle=default_bundle(), workers=0
        )
    )
    place = folder / "out" / STORE
    (place / "manifest.json").rename(place / "manifest.next.json")
    store = RunStore.open_unfinished(place)
    assert store is not None
    return stored_report(store, reader_of(read_basis(store)))


def beside(helper: HelperProcess, report: Report) -> Beside:
    store = report.store
    assert isinstance(store, RunStore)
    return Beside(helper, partial(report_in_progress, store.folder, report.provenance))


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ROW_REPORTS}


def test_errands_are_done_elsewhere_and_each_has_its_result(helper: HelperProcess) -> None:
    (process,) = active_children()
    results = [helper.begin(os.getpid), helper.begin(partial(divmod, 17, 5))]
    assert results[1]() == (3, 2)
    assert results[0]() == process.pid


def test_what_an_errand_raises_is_raised_here(helper: HelperProcess) -> None:
    result = helper.begin(partial(Path("nowhere").read_bytes))
    with pytest.raises(FileNotFoundError) as raised:
        result()
    assert raised.value.errno == errno.ENOENT


def test_a_process_that_dies_leaves_its_errands_to_this_one(
    helper: HelperProcess, tmp_path: Path
) -> None:
    tally = tmp_path / "tally"
    results = [helper.begin(partial(_dies_elsewhere, tally, os.getpid())), helper.begin(os.getpid)]
    assert [result() for result in results] == [os.getpid()] * 2
    assert tally.read_text() == "begun\n" * 2
    assert helper.begin(os.getpid)() == os.getpid()


def test_a_process_that_dies_while_it_answers_leaves_its_errand_to_this_one(
    helper: HelperProcess,
) -> None:
    result = helper.begin(partial(bytes, MORE_THAN_A_PIPE_HOLDS))
    assert helper._process.connection.poll(10), "it has begun to answer"
    time.sleep(0.1)  # until the pipe is full
    (process,) = active_children()
    process.kill()
    process.join()
    assert len(result()) == MORE_THAN_A_PIPE_HOLDS


@pytest.mark.parametrize("error", [MemoryError, ImportError])
def test_what_finds_no_memory_there_is_done_here(
    helper: HelperProcess, error: type[Exception], capfd: pytest.CaptureFixture[str]
) -> None:
    assert helper.begin(partial(_fails_elsewhere, error, os.getpid()))() == os.getpid()
    assert capfd.readouterr() == ("", "")


def _fails_elsewhere(error: type[Exception], here: int) -> int:
    if os.getpid() != here:
        raise error
    return here


def test_an_errand_that_the_process_cannot_take_is_done_here(helper: HelperProcess) -> None:
    result = helper.begin(partial(_name_of, Unwelcome("name")))
    (process,) = active_children()
    assert wait([process.sentinel], 10), "it is waited for"
    assert result() == "name"


def _name_of(path: Path) -> str:
    return path.name


def _dies_elsewhere(tally: Path, here: int) -> int:
    with tally.open("a") as file:
        file.write("begun\n")
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def test_reports_are_the_same_to_the_byte(
    helper: HelperProcess, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = write_reports(report, tmp_path / "alone")
    assert summary.n_with_finding > 1
    close, begin = HtmlReport.close, HelperProcess.begin
    errands: list[Callable[[], object]] = []

    def close_when_it_is_free(page: HtmlReport) -> None:
        while not helper.is_free:
            time.sleep(0.01)
        close(page)

    def begin_noting(one: HelperProcess, errand: Callable[[], object]) -> Callable[[], object]:
        errands.append(errand)
        return begin(one, errand)

    monkeypatch.setattr(HtmlReport, "close", close_when_it_is_free)
    monkeypatch.setattr(HelperProcess, "begin", begin_noting)
    write_reports(report, tmp_path / "helped", beside=beside(helper, report))
    assert len(errands) == 4, "it opened, wrote and closed what has rows, and drew strips"
    assert contents(tmp_path / "helped") == contents(tmp_path / "alone")


@pytest.mark.parametrize("first", [0, 10], ids=["at once", "between two blocks"])
def test_reports_are_the_same_when_the_helper_is_killed(
    first: int,
    helper: HelperProcess,
    report: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_rows, "BLOCK_RECORDS", 5)
    write_reports(report, tmp_path / "alone")
    write = HtmlReport.write

    def write_and_kill(page: HtmlReport, block: ScoredBlock) -> None:
        if block.first == first:
            for process in active_children():
                process.kill()
                process.join()
        write(page, block)

    monkeypatch.setattr(HtmlReport, "write", write_and_kill)
    write_reports(report, tmp_path / "helped", beside=beside(helper, report))
    assert active_children() == []
    assert contents(tmp_path / "helped") == contents(tmp_path / "alone")


def test_reports_that_fail_here_leave_nothing_that_the_helper_wrote(
    helper: HelperProcess, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(HtmlReport, "write", full)
    with pytest.raises(StoreError, match="No space left"):
        write_reports(report, tmp_path, beside=beside(helper, report))
    assert active_children() == [], "it may be writing still"
    assert list(tmp_path.iterdir()) == []


def test_reports_that_fail_there_fail(
    helper: HelperProcess, report: Report, tmp_path: Path
) -> None:
    lost = Beside(helper, partial(report_in_progress, tmp_path, report.provenance))
    with pytest.raises(StoreError, match="no run in progress"):
        write_reports(report, tmp_path / "out", beside=lost)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_scan_of_many_has_help(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_processes: list[int] = []

    class Counting(HtmlReport):
        def close(self) -> None:
            n_processes.append(len(active_children()))
            super().close()

    monkeypatch.setattr("ecgscreen.reports.HtmlReport", Counting)
    store = report.store
    assert isinstance(store, RunStore)
    few = ScanOptions(
        read_basis(store).places, "rhythm", tmp_path / "few", bundle=default_bundle(), workers=2
    )
    scan(few)
    monkeypatch.setattr("ecgscreen.scan.MANY_ROWS", N)
    scan(replace(few, out=tmp_path / "many"))
    assert n_processes == [0, 1]
    assert active_children() == []
    alone, helped = contents(tmp_path / "few"), contents(tmp_path / "many")
    assert alone["report.csv"] == helped["report.csv"]
    assert alone[PAGE].count(b"<svg") == helped[PAGE].count(b"<svg") > 1
