"""The tables: paired differences, frozen thresholds, and cells that are kept."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.paper_cells import ROWS, Cell, config_of, load_cell, make_cell
from bench.paper_figures import PAPER, Labels, argmax_figures, multilabel_figures
from bench.paper_plot import intervals_svg
from bench.paper_tables import _pairs, _table
from ecgscreen.vocabulary import load_vocabulary
from tests.tiny_bundle import ENCODER
from trainer.data import load_ptbxl

N, REPLICATES = 120, 40
CLASSES = ("A", "B", "C")


@pytest.fixture(scope="module")
def labels() -> Labels:
    which = np.arange(N) % 3
    positive = which[:, None] == np.arange(3)
    return Labels(CLASSES, positive, positive, np.array([f"{k // 2}" for k in range(N)]))


def scored(labels: Labels, noise: float) -> Cell:
    rng = np.random.default_rng(5)
    scores = (labels.test + rng.normal(0, noise, labels.test.shape)).astype(np.float32)
    return Cell(CLASSES, scores, scores)


def test_a_perfect_row_has_every_figure_at_one(labels: Labels) -> None:
    cells = {"statement": [scored(labels, 0.01)]}
    multilabel = multilabel_figures(cells, labels, CLASSES, replicates=REPLICATES)
    argmax = argmax_figures(cells, labels, CLASSES, replicates=REPLICATES)
    assert multilabel.values["statement"] == pytest.approx([1, 1, 1, 1, 1])
    assert argmax.values["statement"] == pytest.approx([1, 1, 1, 1])


def test_differences_are_paired_and_of_the_mean_over_seeds(labels: Labels) -> None:
    good, poor = scored(labels, 0.4), scored(labels, 2.0)
    cells = {"statement": [good, poor], "clip": [good, poor], "random-5": [poor]}
    found = multilabel_figures(cells, labels, CLASSES, replicates=REPLICATES)
    value, interval = found.difference("statement", "clip", 0)
    assert (value, interval.low, interval.high) == (0, 0, 0)
    single = multilabel_figures({"x": [good]}, labels, CLASSES, replicates=REPLICATES)
    mean = (single.values["x"][0] + found.values["random-5"][0]) / 2
    assert found.values["statement"][0] == pytest.approx(mean)
    value, interval = found.difference("statement", "random-5", 0)
    assert 0 < interval.low < value < interval.high


def test_thresholds_are_those_of_the_validation_fold(labels: Labels) -> None:
    validation = labels.validation.astype(np.float32)
    shifted = Cell(CLASSES, validation, validation + 10)
    found = multilabel_figures({"clip": [shifted]}, labels, CLASSES, replicates=REPLICATES)
    # Everything is flagged: as good an order as before, and a third of it right.
    assert found.values["clip"] == pytest.approx([1, 1 / 3, 1 / 3, 1, 0.5])


def test_a_class_that_one_row_cannot_tell_counts_for_none(labels: Labels) -> None:
    whole, part = scored(labels, 0.5), scored(labels, 0.5)
    part.test[:, 2] = np.nan
    cells = {"statement": [whole], "supervised": [part]}
    found = multilabel_figures(cells, labels, CLASSES, replicates=REPLICATES)
    assert "2 classes" in found.about
    assert found.values["statement"][0] == found.values["supervised"][0]


def test_scores_of_other_recordings_are_refused(labels: Labels) -> None:
    fewer = Cell(CLASSES, labels.validation.astype(np.float32), np.zeros((N - 1, 3), np.float32))
    with pytest.raises(ValueError, match="remove the cell"):
        argmax_figures({"clip": [fewer]}, labels, CLASSES, replicates=REPLICATES)


def test_table_shows_the_papers_figures_beside_ours(labels: Labels) -> None:
    cells = {"clip": [scored(labels, 0.5)], "statement": [scored(labels, 0.4)]}
    found = argmax_figures(cells, labels, CLASSES, replicates=REPLICATES)
    lines = _table(cells, found, "argmax", PAPER["superclass"]).splitlines()
    assert lines[4].endswith("| 0.842 | 0.694 | 0.626 | 0.657 |")
    assert lines[5].endswith("|  |  |  |  |")
    assert len({line.count("|") for line in lines[2:]}) == 1
    assert "statement, prompted (seen) less clip, 0 %" in _pairs(found)


def test_picture_has_a_point_within_its_interval_for_every_row(labels: Labels) -> None:
    cells = {"clip": [scored(labels, 1.5)], "statement": [scored(labels, 1.0)]}
    found = multilabel_figures(cells, labels, CLASSES, replicates=REPLICATES)
    root = ET.fromstring(intervals_svg(found, ROWS))
    groups = [element for element in root if element.tag.endswith("}g")]
    assert [group[0].text for group in groups] == [ROWS[name].label for name in cells]
    for _, line, point in groups:
        ends = float(line.get("x1", "nan")), float(line.get("x2", "nan"))
        assert 300 <= ends[0] < float(point.get("cx", "nan")) < ends[1] <= 696


def test_a_cell_is_made_once_and_read_again(simulated_ptbxl: Path, tmp_path: Path) -> None:
    vocabulary = load_vocabulary()
    row = ROWS["random-100"]
    config = replace(config_of(row, seed=1, epochs=1), encoder=ENCODER)
    recordings = load_ptbxl([simulated_ptbxl], range(1, 10), vocabulary, config.preprocess)
    # The simulated set has two folds: one trains, the other is both validation and test.
    recordings.folds[recordings.folds == 2] = np.array([8, 9] * 36)
    assert load_cell(tmp_path / "cell") is None
    make_cell(row, config, recordings, None, vocabulary, tmp_path / "cell", lambda _line: None)
    cell = load_cell(tmp_path / "cell")
    assert cell is not None
    assert cell.concept_ids == recordings.concept_ids
    assert cell.test.shape == (36, len(recordings.concept_ids))
    assert np.isfinite(cell.test).all()
    assert cell.elsewhere is None
