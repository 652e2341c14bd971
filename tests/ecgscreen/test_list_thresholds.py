"""Where a line's threshold comes from, and what a line with counter-prompts is scored by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.calibration import Calibrated, PlattScaling
from ecgscreen.diagnoses import DiagnosisList, load_list
from ecgscreen.errors import LabelListError
from ecgscreen.info import grouped_lines, list_lines
from ecgscreen.list_thresholds import top_threshold
from ecgscreen.prompts import Prompts, embed_list
from ecgscreen.reports.notices import NOT_FOR_URGENT_USE, notices
from ecgscreen.scoring import flags, score
from ecgscreen.site_calibration import SiteCalibration, calibrated_rows
from ecgscreen.vocabulary import load_vocabulary


@pytest.fixture
def bundle(bundle_dir: Path) -> Bundle:
    return load_bundle(bundle_dir)


def understood(bundle: Bundle, folder: Path, *entries: str) -> tuple[DiagnosisList, Prompts]:
    path = folder / "mine.toml"
    path.write_text("".join(f"[[diagnosis]]\n{entry}\n" for entry in entries), encoding="utf-8")
    listed = load_list(str(path))
    return listed, embed_list(listed, bundle, load_vocabulary())


def site(path: Path, concept: str, criterion: str) -> SiteCalibration:
    found = Calibrated(0.125, criterion, PlattScaling(2.0, -1.0))
    return SiteCalibration(
        *(path, "0" * 64, "tiny", "0" * 64, "2026-01-01", "mine", (), (), 100),
        diagnoses={frozenset({concept}): found},
        signals=frozenset(),
    )


def test_the_lowest_score_that_at_most_a_share_reaches() -> None:
    scores = np.arange(100, dtype=np.float32)
    assert top_threshold(scores, 2.0) == 98.0
    assert top_threshold(scores, 1.0) == 99.0
    assert np.isnan(top_threshold(scores, 0.5))
    tied = np.array([0, 0, 1, 1], np.float32)
    assert top_threshold(tied, 50.0) == 1.0
    assert np.isnan(top_threshold(tied, 25.0))


def test_a_threshold_of_the_list_goes_first(bundle: Bundle, tmp_path: Path) -> None:
    concept, point = next(iter(bundle.operating_points.items()))
    name = f"name = '{concept}'\n"
    listed, prompts = understood(
        bundle,
        tmp_path,
        name,
        f"{name}threshold = 0.75",
        f"{name}threshold = 'top 10 %'",
        f"{name}threshold = '{point.criterion}'",
        f"{name}threshold = 'sensitivity 0.95'",
    )
    own, number, top, same, other = prompts.rows
    assert own.threshold == same.threshold == point.threshold
    assert (number.threshold, number.criterion) == (0.75, "the list")
    assert bundle.reference is not None
    reached = score(bundle.reference, prompts.directions)[:, 2] >= top.threshold
    assert 0 < reached.mean() <= 0.1
    assert top.criterion.startswith("top 10 % of the reference population of ")
    assert np.isnan(other.threshold)
    assert f"sensitivity 0.95: the bundle has the {point.criterion} only" in other.note

    rows = calibrated_rows(
        prompts.rows, listed.diagnoses, site(tmp_path / "site.json", concept, "sensitivity 0.95")
    )
    assert [row.threshold for row in rows[:3]] == [0.125, 0.75, top.threshold]
    assert (rows[4].threshold, rows[4].note) == (0.125, "")
    assert rows[4].criterion == "sensitivity 0.95, site.json"
    assert all(row.platt == PlattScaling(2.0, -1.0) for row in rows)
    rows = calibrated_rows(
        prompts.rows, listed.diagnoses, site(tmp_path / "site.json", concept, "Youden")
    )
    assert np.isnan(rows[4].threshold)
    assert rows[4].note == "sensitivity 0.95: site.json has the threshold of Youden"


def test_counter_prompts_rank_as_the_difference_of_cosines(bundle: Bundle, tmp_path: Path) -> None:
    concept = next(each for each in bundle.operating_points if each != "NORM")
    counter = "counter_prompts = ['NORM']\n"
    listed, prompts = understood(
        *(bundle, tmp_path),
        f"name = '{concept}'\n",
        "name = 'NORM'\n",
        f"name = '{concept}'\n{counter}",
        f"name = '{concept}'\n{counter}threshold = 'largest F1'\n",
    )
    assert bundle.reference is not None
    scores = score(bundle.reference, prompts.directions).astype(np.float64)
    difference = scores[:, 0] - scores[:, 1]
    length = np.linalg.norm(prompts.directions[0] - prompts.directions[1])
    np.testing.assert_allclose(scores[:, 2], difference / length, atol=1e-4)
    assert np.isnan([row.threshold for row in prompts.rows[2:]]).all()
    assert prompts.rows[2].platt is None
    assert "counter-prompts" in prompts.rows[3].note
    calibration = site(tmp_path / "site.json", concept, "largest F1")
    rows = calibrated_rows(prompts.rows, listed.diagnoses, calibration)
    assert rows[0].threshold == 0.125
    assert rows[2] == prompts.rows[2]
    assert "against normal ECG (NORM)" in list(list_lines(listed, rows, bundle))[2]


def test_a_line_against_itself_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(LabelListError, match=r"line 2: 'AFIB' and its counter-prompts"):
        understood(bundle, tmp_path, "name = 'AFIB'\ncounter_prompts = ['164889003']")


def test_what_was_not_seen_is_never_absent(bundle: Bundle, tmp_path: Path) -> None:
    unseen = next(each for each in bundle.concepts if each not in bundle.seen_concepts)
    seen = next(iter(bundle.operating_points))
    listed, prompts = understood(
        *(bundle, tmp_path),
        f"name = '{unseen}'\nthreshold = 0.5\nseverity = 'critical'\ngroup = 'now'",
        f"name = '{seen}'\nthreshold = 0.5",
    )
    rows = prompts.rows
    assert [row.seen for row in rows] == [False, True]
    scores = np.array([[0.4, 0.4], [0.6, 0.6], [np.nan, np.nan]], np.float32)
    thresholds = np.array([row.threshold for row in rows])
    found = flags(scores, thresholds, np.array([row.seen for row in rows]))
    assert found.tolist() == [[-1, 0], [1, 1], [-1, -1]]

    said = notices(rows)
    assert said[0] == NOT_FOR_URGENT_USE
    assert said[1].startswith("1 of 2 diagnoses were not met in training")
    assert notices([replace(rows[1], severity="attention")]) == ()
    shown = list(grouped_lines(listed, rows, bundle))
    assert shown[0] == NOT_FOR_URGENT_USE
    assert shown[shown.index("now") + 1].endswith(
        "; critical; zero-shot; flagged from 0.500 (the list)"
    )
