"""Jobs that each do a share make, merged, the screening of one that did all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgscreen.errors import UsageError
from ecgscreen.merging import merge
from ecgscreen.results import Status
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.screening_status import status_of
from ecgscreen.share import Share
from ecgscreen.simulate import write_dataset
from tests.ecgscreen.reports_read import reports_of

N_SHARES = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shares") / "records"
    write_dataset(path, 20, seed=5, sampling_rate=100.0, faults=2)
    return path


def options(bundle: Path, folder: Path, out: Path, share: Share | None) -> ScanOptions:
    return ScanOptions((folder,), "rhythm.txt", out, bundle=bundle, workers=0, share=share)


def test_every_name_is_of_one_share() -> None:
    shares = [Share(number, 7) for number in range(1, 8)]
    holders = [[share.number for share in shares if share.holds(f"a/{n}.hea")] for n in range(700)]
    assert {len(each) for each in holders} == {1}
    counts = [sum(each == [number] for each in holders) for number in range(1, 8)]
    assert min(counts) > 60


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5", "1/99999999"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected I/N"):
        Share.parse(text)


def test_shares_merged_are_the_whole(bundle_dir: Path, folder: Path, tmp_path: Path) -> None:
    whole = scan(options(bundle_dir, folder, tmp_path / "whole", None))
    parts = [tmp_path / f"part{number}" for number in range(1, N_SHARES + 1)]
    for number, part in enumerate(parts, 1):
        result = scan(options(bundle_dir, folder, part, Share(number, N_SHARES)))
        assert 0 < result.summary.n_records < whole.summary.n_records
        assert not status_of(part).waiting.new  # type: ignore[union-attr] # it looked
    again = scan(options(bundle_dir, folder, parts[0], Share(1, N_SHARES)))
    assert not again.summary.by_status.get(Status.VANISHED), "of other shares"

    merged = merge(parts, tmp_path / "merged")
    assert sum(merged.n_taken) == whole.summary.n_records
    one, other = reports_of(tmp_path / "whole"), reports_of(tmp_path / "merged")
    assert other.csv == one.csv
    assert merged.provenance.n_ignored == whole.provenance.n_ignored

    go_on = scan(options(bundle_dir, folder, tmp_path / "merged", None))
    assert go_on.summary.n_records == whole.summary.n_records
    assert reports_of(tmp_path / "merged").csv == one.csv


def test_a_screening_goes_on_with_its_own_share(
    bundle_dir: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    scan(options(bundle_dir, folder, out, Share(1, 2)))
    with pytest.raises(UsageError, match="--shard 1/2, not 2/2"):
        scan(options(bundle_dir, folder, out, Share(2, 2)))
