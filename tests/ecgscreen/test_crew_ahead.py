"""A crew that is started before the scan that it is of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from ecgscreen import workers
from ecgscreen.bundle import load_bundle
from ecgscreen.crew_ahead import crew_ahead
from ecgscreen.embedding_job import EmbeddingJob, keep_for_copies, load_once
from ecgscreen.errors import BundleError
from ecgscreen.scan import scan
from ecgscreen.scan_options import DEFAULT_ENGINE, ScanOptions
from ecgscreen.simulate import write_dataset
from engines.select import PROCESSOR_ENGINES


@pytest.fixture
def no_others() -> Iterator[None]:
    """None is there before the test, and none is left behind."""
    assert active_children() == []
    yield
    assert active_children() == []


@pytest.fixture
def options(tmp_path: Path, bundle_dir: Path) -> ScanOptions:
    """Of a scan that is to have two workers."""
    folder = tmp_path / "records"
    write_dataset(folder, 6, seed=4, sampling_rate=100.0)
    return ScanOptions((folder,), "rhythm", tmp_path / "out", bundle_dir, workers=2)


def test_the_default_engine_is_one_of_a_processor() -> None:
    assert {DEFAULT_ENGINE} == PROCESSOR_ENGINES


@pytest.mark.usefixtures("no_others")
def test_a_scan_takes_what_was_started_for_it_and_starts_none(options: ScanOptions) -> None:
    with crew_ahead(options) as ahead:
        assert ahead is not None
        assert len(active_children()) == 2
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(workers, "WorkerProcess", None)
            found = scan(options, ahead=ahead)
    assert found.summary.n_scored == 6


@pytest.mark.usefixtures("no_others")
@pytest.mark.parametrize(
    "other",
    [
        {"workers": 0},
        {"workers": None},  # a small folder
        {"engine": "pytorch"},
        {"cluster": "tcp://127.0.0.1:1"},
        {"bundle": Path("missing")},
    ],
)
def test_none_is_started_where_none_is_needed_or_could_work(
    options: ScanOptions, other: dict[str, Any]
) -> None:
    with crew_ahead(replace(options, **other)) as ahead:
        assert ahead is None
        assert active_children() == []


@pytest.mark.usefixtures("no_others")
def test_what_is_not_taken_is_ended(options: ScanOptions) -> None:
    with crew_ahead(options) as ahead:
        assert ahead is not None
        assert len(active_children()) == 2


def test_a_bundle_that_was_kept_is_not_read_again_but_no_other_is_taken_for_it(
    bundle_dir: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(bundle_dir)
    keep_for_copies(bundle)
    gone = EmbeddingJob(tmp_path / "gone", bundle.sha256, "openvino", "f32", batch_size=4)
    assert load_once(gone)[0].info.batch_size == 4
    with pytest.raises(BundleError, match="gone"):
        load_once(replace(gone, bundle_sha256="0" * 64))
