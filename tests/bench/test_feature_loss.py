"""The feature loss's comparison: paired over patients and seeds, chosen on fold 8, resumable."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.feature_ablation import ARMS, ablate, choice
from bench.feature_cells import DRAWS, Arm, Cell, cell_folder, config_of, load_cell
from bench.feature_figures import (
    RARE,
    Difference,
    difference,
    macro_aucs,
    measured,
    replicated_auc,
)
from bench.feature_loss import compare
from bench.feature_plot import differences_svg
from bench.feature_tables import write_tables
from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from tests.tiny_bundle import ENCODER
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.metrics import Interval, auc, bootstrap_draws, macro_auc


def tiny(arm: Arm, seed: int, epochs: int) -> TrainConfig:
    return replace(config_of(arm, seed, epochs), encoder=ENCODER, batch_size=32)


def test_arms_differ_in_the_loss_only() -> None:
    plain, chosen = config_of(Arm(), 2, 5), config_of(Arm((3, 4), 0.1), 2, 5)
    assert plain.augment.max_shift_s == 0
    assert replace(chosen, feature_weight=0.0, feature_layers=plain.feature_layers) == plain
    assert (plain.measurement_weight, plain.view_temperature) == (0.0, 0.1)
    shifted = config_of(Arm(shifts=True), 2, 5)
    assert replace(shifted, augment=plain.augment) == plain
    assert shifted.augment.max_shift_s > 0
    assert len({arm.name for arm in (*ARMS, Arm(shifts=True))}) == len(ARMS) + 1


def test_replicates_are_those_of_the_bootstrap_over_patients() -> None:
    rng = np.random.default_rng(1)
    positive = rng.random(40) < 0.3
    scores = np.round(rng.normal(0, 1, 40) + positive, 1)  # rounded: some are equal
    draws = list(bootstrap_draws(np.array([f"{k // 2}" for k in range(40)]), replicates=20))
    counts = np.stack([np.bincount(drawn, minlength=40) for drawn in draws]).astype(np.float64)
    found = replicated_auc(scores, positive, counts)
    assert found == pytest.approx([auc(scores[drawn], positive[drawn]) for drawn in draws])
    nobody = np.where(positive, 0.0, 1.0)[None]
    assert np.isnan(replicated_auc(scores, positive, nobody)).all()


def test_groups_are_what_can_be_measured_and_the_rarest_of_it(
    recordings: LabelledRecordings,
) -> None:
    truth = measured(recordings, [1], 9, load_vocabulary(), replicates=3)
    statements, rare = truth.groups["statements"], truth.groups[RARE]
    train = recordings.carried[recordings.folds == 1].sum(axis=0)
    assert len(rare) == len(statements) // 3 >= 1
    assert set(rare) < set(statements)
    assert truth.rare_at_most == train[rare].max() <= train[np.setdiff1d(statements, rare)].min()
    n = truth.positive[:, statements].sum(axis=0)
    assert n.min() >= 5
    assert n.max() <= len(truth.positive) - 5
    assert truth.counts.shape == (4, 36)
    assert (truth.counts[0] == 1).all()


def test_macro_auc_is_the_mean_over_draws_of_labels(recordings: LabelledRecordings) -> None:
    truth = measured(recordings, [1], 9, load_vocabulary(), replicates=2)
    rng = np.random.default_rng(3)
    draws = rng.normal(0, 1, (2, *truth.positive.shape)).astype(np.float32)
    found = macro_aucs(Cell(recordings.concept_ids, {0.1: draws}), truth)
    for group, columns in truth.groups.items():
        each = [macro_auc(one[:, columns], truth.positive[:, columns]) for one in draws]
        assert found[group, 0.1][0] == pytest.approx(np.mean(each))
    with pytest.raises(ValueError, match="remove the cell"):
        macro_aucs(Cell(recordings.concept_ids, {0.1: draws[:, 1:]}), truth)


def test_differences_are_paired_within_a_seed() -> None:
    rng = np.random.default_rng(2)
    base = [rng.normal(0.7, 0.1, 200) for _ in range(3)]
    found = difference(
        [one + gain for one, gain in zip(base, (0.01, 0.03, 0.05), strict=True)], base
    )
    assert found.value == pytest.approx(0.03)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.03, 0.03))
    assert found.by_seed == pytest.approx((0.01, 0.03, 0.05))
    assert found.excludes_zero
    assert not difference(base, base).excludes_zero


def test_picture_shows_zero_and_a_point_within_its_interval() -> None:
    found = {
        ("superclass", 0.01): Difference((0.7, 0.71), 0.01, Interval(0.002, 0.02), (0.01,)),
        (RARE, 1.0): Difference((0.7, 0.69), -0.01, Interval(-0.03, 0.01), (-0.01,)),
    }
    root = ET.fromstring(differences_svg(found, "less < more"))
    zero = float(next(e for e in root if e.tag.endswith("}line")).get("x1", "nan"))
    groups = [element for element in root if element.tag.endswith("}g")]
    assert [group[0].text for group in groups] == [
        "superclass, 1% of labels",
        f"{RARE}, 100% of labels",
    ]
    ends = [(float(g[1].get("x1", "nan")), float(g[1].get("x2", "nan"))) for g in groups]
    points = [float(group[2].get("cx", "nan")) for group in groups]
    assert zero < ends[0][0] < points[0] < ends[0][1]
    assert ends[1][0] < points[1] < zero < ends[1][1]


def test_all_stages_on_simulated_recordings(
    recordings: LabelledRecordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How good a probe is does not matter here; that of 144 recordings is soon good enough.
    monkeypatch.setattr("trainer.baselines._PROBE_ITERATIONS", 4)
    with pytest.raises(UsageError, match="is not there"):
        choice(tmp_path)
    said: list[str] = []
    tried = [Arm(), Arm((3, 4), 0.1), Arm((4,), 1.0)]
    table = ablate(recordings, tmp_path, 1, said.append, arms=tried, configure=tiny)
    chosen = choice(tmp_path)
    means = {line.split("|")[1]: float(line.split("|")[-2]) for line in table.splitlines()[-3:]}
    assert means[f" {chosen.label}: chosen "] == max(list(means.values())[1:])

    arms, shares = [Arm(), chosen], (0.1, 1.0)
    with pytest.raises(UsageError, match="no seed"):
        write_tables(recordings, arms, [0], 1, tmp_path)
    compare(recordings, arms, [0], 1, tmp_path, said.append, shares=shares, configure=tiny)
    folder = cell_folder(tmp_path, chosen, 1, 0)
    assert json.loads((folder / "cell.json").read_text())["config"]["feature_weight"] > 0
    cell = load_cell(folder)
    assert cell is not None
    assert {share: len(draws) for share, draws in cell.scores.items()} == {0.1: DRAWS, 1.0: 1}
    # What is finished is kept: nothing is trained again.
    before = (folder / "scores.npz").stat().st_mtime_ns
    said.clear()
    compare(recordings, arms, [0], 1, tmp_path, said.append, shares=shares, configure=tiny)
    assert not [line for line in said if "epoch" in line]
    assert (folder / "scores.npz").stat().st_mtime_ns == before

    text = write_tables(recordings, arms, [0, 1], 1, tmp_path, replicates=20)
    assert text == (tmp_path / "tables-e1.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith(("| superclass", f"| {RARE}"))]
    assert len(rows) == 2 * len(shares)
    assert len({row.count("|") for row in rows}) == 1
    ET.parse(tmp_path / f"{chosen.name}-e1.svg")
