"""Another list, bundle, engine or version of the store: refused, scored again, or told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.errors import ExitCode, StoreError, UsageError
from ecgscreen.results import Status
from ecgscreen.run_store import MANIFEST, RunStore
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.screening import STORE, read_basis, read_scoring
from ecgscreen.simulate import write_dataset
from ecgscreen.stored_report import stored_report
from tests.ecgscreen.bundles import rewritten
from tests.ecgscreen.nights.runs import N, Night, rows_of, same
from tests.watched import Watch


def another_bundle(bundle: Path, folder: Path) -> Path:
    return rewritten(bundle, folder, licence="another")


def other_list(night: Night, _tmp_path: Path) -> ScanOptions:
    return replace(night.options, labels="superclass.txt")


def other_bundle(night: Night, tmp_path: Path) -> ScanOptions:
    return replace(night.options, bundle=another_bundle(night.options.bundle, tmp_path / "other"))


@pytest.mark.parametrize("change", [other_list, other_bundle])
def test_another_list_or_bundle_is_refused(
    night: Night, tmp_path: Path, change: Callable[[Night, Path], ScanOptions]
) -> None:
    night()
    before = night.reports
    changed = change(night, tmp_path)
    with pytest.raises(UsageError, match="was made with the") as caught:
        scan(changed)
    assert "--rescore" in caught.value.advice
    assert "--fresh" in caught.value.advice
    assert night.reports.csv == before.csv
    scan(replace(changed, fresh=True))
    assert night.reports.csv != before.csv or change is other_bundle
    assert rows_of(night.out).keys() == {row["path"] for row in before.rows}
    scan(changed)


def test_a_rescore_equals_a_scan_and_opens_no_recording(
    night: Night, bundle_dir: Path, records: Path, tmp_path: Path
) -> None:
    night()
    fresh = Night(bundle_dir, records, tmp_path / "fresh")
    fresh(labels="superclass.txt")
    with Watch(records, *records.iterdir()) as watch:
        rescored = night(labels="superclass.txt", rescore=True)
        assert watch.opened() == set()
    assert night.read == []
    same(night, fresh)
    assert rescored.summary.exit_code == ExitCode.SOME_NOT_SCORED
    run = json.loads((night.out / "run.json").read_text("utf-8"))
    assert run["rescored"] is True
    assert [(each["run"], each["n_records"]) for each in run["embeddings_from"]] == [(1, N)]
    assert "run 1 of" in (night.out / "report.html").read_text("utf-8")
    # Now the screening is one of that list.
    night(labels="superclass.txt")
    assert night.read == []
    with pytest.raises(UsageError, match="was made with the list"):
        night()


def test_a_rescore_needs_no_folder_and_keeps_what_was_scanned(
    night: Night, records: Path, tmp_path: Path
) -> None:
    night()
    night(labels="superclass.txt", rescore=True, roots=(tmp_path / "nowhere",))
    assert read_basis(RunStore.open(night.out / STORE)).roots == (records,)
    assert len(night.reports.rows) == N


def test_nothing_can_be_rescored_where_nothing_was_scanned(night: Night) -> None:
    with pytest.raises(UsageError, match="nothing can be scored again"):
        night(rescore=True)
    with pytest.raises(UsageError, match="does not go with"):
        night(rescore=True, fresh=True)


def test_another_engine_goes_on_and_is_told(night: Night, records: Path) -> None:
    night()
    write_dataset(records / "later", 3, seed=9, sampling_rate=100.0)
    night(engine="pytorch", precision="f32")
    assert len(night.read) == 3
    run = json.loads((night.out / "run.json").read_text("utf-8"))
    assert [(each["name"], each["n_scored"]) for each in run["engines"]] == [
        ("openvino", N - 2),
        ("pytorch", 3),
    ]


def test_a_store_of_another_version_is_refused_unless_everything_is_anew(night: Night) -> None:
    night()
    path = night.out / STORE / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 1}))
    with pytest.raises(StoreError, match="version 1") as caught:
        night()
    assert "--fresh" in caught.value.advice
    night(fresh=True)
    assert len(night.read) == N
    assert {Status(row["status"]) for row in night.reports.rows} >= {Status.SCORED}


def test_the_report_can_be_made_of_the_store_alone(
    night: Night, records: Path, tmp_path: Path
) -> None:
    result = night(language="de")
    store = RunStore.open(night.out / STORE)
    report = stored_report(store)
    assert report.provenance == result.provenance
    assert report.language == "de"
    scoring, basis = read_scoring(store), read_basis(store)
    assert "sinus rhythm" in scoring.list_text
    assert basis.roots == (records,)
    assert basis.bundle_folder == night.options.bundle
    assert np.isfinite([row.threshold for row in scoring.diagnoses]).any()
