"""Curves as the figures have them, and drawings that hold nothing but themselves."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from trainer.curves import Scored, curve
from trainer.metrics import auc
from trainer.plots import FILES, wilson_interval, write_plots

SVG = "{http://www.w3.org/2000/svg}"
RNG = np.random.default_rng(2)
N = 200


def scored(names: tuple[str, ...] = ("A<F>", "B", "rare")) -> Scored:
    positive = np.zeros((N, len(names)), np.bool_)
    positive[:60, 0] = positive[50:90, 1] = positive[:2, 2] = True
    scores = RNG.normal(positive.astype(np.float64)).astype(np.float32)
    probabilities = np.full(scores.shape, np.nan, np.float32)
    probabilities[:, 0] = 1 / (1 + np.exp(-scores[:, 0]))
    return Scored(names, scores, positive, np.array([0.5, np.nan, np.nan]), probabilities)


def test_curves_are_those_of_the_figures() -> None:
    scores = np.round(RNG.normal(size=N), 1).astype(np.float32)
    positive = RNG.random(N) < 0.3
    found = curve(scores, positive)
    x = np.concatenate([[0.0], found.false_positive_rate])
    y = np.concatenate([[0.0], found.recall])
    area = float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())
    assert area == pytest.approx(auc(scores, positive))
    assert (found.recall[-1], found.false_positive_rate[-1]) == (1, 1)
    assert found.precision[-1] == found.prevalence == positive.mean()
    threshold = np.unique(scores)[::-1][5]
    flagged = scores >= threshold
    assert found.precision[5] == pytest.approx(positive[flagged].mean())
    assert found.recall[5] == pytest.approx(flagged[positive].mean())


def test_a_perfect_score_has_perfect_curves() -> None:
    positive = np.arange(20) < 5
    found = curve(-np.arange(20).astype(np.float32), positive)
    assert found.average_precision == 1
    assert (found.recall[4], found.false_positive_rate[4]) == (1, 0)


def test_every_class_that_is_measured_has_its_panel(tmp_path: Path) -> None:
    written = write_plots(tmp_path / "plots", scored(), "rhythm, <set>")
    assert [path.name for path in written] == list(FILES)
    for path in written:
        drawing = ET.parse(path).getroot()
        assert drawing.tag == f"{SVG}svg"
        text = " ".join(filter(None, drawing.itertext()))
        assert "rhythm, <set>" in text
        assert "rare" not in text, "two positives make no curve"
        assert "A<F>" in text
        assert ("B" in text.split()) is (path.name != "reliability.svg"), "it has no probability"
        width, height = (float(drawing.attrib[key]) for key in ("width", "height"))
        for circle in drawing.iter(f"{SVG}circle"):
            assert 0 < float(circle.attrib["cx"]) < width
            assert 0 < float(circle.attrib["cy"]) < height
        assert "http" not in re.sub(r'xmlns="[^"]*"', "", path.read_text(encoding="utf-8"))


def test_the_mark_is_the_operating_point(tmp_path: Path) -> None:
    one = scored()
    roc, *_ = write_plots(tmp_path, one, "")
    marks = list(ET.parse(roc).getroot().iter(f"{SVG}circle"))
    assert len(marks) == 1, "one class has a threshold"
    flagged, positive = one.scores[:, 0] >= 0.5, one.positive[:, 0]
    place = (float(marks[0].attrib["cx"]) - 44) / 180
    assert place == pytest.approx(flagged[~positive].mean(), abs=0.001)


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    empty = np.empty((0, 0), np.float32)
    nothing = Scored((), empty, empty.astype(np.bool_), np.empty(0), empty)
    assert write_plots(tmp_path, nothing, "") == ()


def test_an_interval_of_a_share() -> None:
    low, high = wilson_interval(0.0, 20)
    assert low == 0
    assert high == pytest.approx(0.161, abs=0.001)
    low, high = wilson_interval(0.5, 100)
    assert (low, high) == pytest.approx((0.404, 0.596), abs=0.001)
