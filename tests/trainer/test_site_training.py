"""A site retrains: from the base's weights, compared with it, published or left aside."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.errors import ExitCode, NotPublishedError, UsageError
from ecgscreen.simulate import TRUTH_NAME
from ecgscreen.vocabulary import load_vocabulary
from engines.select import load_engine
from tests.tiny_bundle import TRAIN_FOLD, VALIDATION_FOLD
from trainer import check_sets
from trainer.base import base_encoder, start_from
from trainer.comparison import Comparison, Verdict, compare
from trainer.data import LabelledRecordings, load_ptbxl
from trainer.evaluate import embed
from trainer.metrics import Interval
from trainer.model import TextProjection
from trainer.objectives import StatementObjective
from trainer.publishing import Decision
from trainer.request import TrainRequest
from trainer.run import run_training
from trainer.splits import rows_of_folds
from trainer.steps import score_rows
from trainer.train import train

VOCABULARY = load_vocabulary()
N_PATIENTS = 144


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, simulated_ptbxl: Path) -> Path:
    """A folder with recordings and two tables: a patient a recording, and 24 patients."""
    folder = tmp_path_factory.mktemp("site") / "records"
    shutil.copytree(simulated_ptbxl, folder)
    with (folder / TRUTH_NAME).open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))
    for name, n_patients in (("site.csv", N_PATIENTS), ("few.csv", 24)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(("path", "patient_id", "statements"))
            for number, row in enumerate(truth):
                table.writerow((row["path"], f"p{number % n_patients}", row["statements"]))
    return folder


@pytest.fixture(scope="module")
def request_of(site: Path, bundle_dir: Path, language_model: Path) -> TrainRequest:
    return TrainRequest(
        folders=(),
        tables=(site / "site.csv",),
        out=Path("set by the test"),
        name="ours",
        train_folds=None,
        validation_folds=None,
        epochs=1,
        batch_size=None,
        seed=0,
        text_encoder=str(language_model),
        licence="Apache-2.0",
        with_reference=False,
        base=str(bundle_dir),
        device="cpu",
        precision="f32",
    )


@pytest.fixture(scope="module")
def retrained(
    request_of: TrainRequest, simulated_ptbxl: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A bundle that a site has accepted, and what was said."""
    out = tmp_path_factory.mktemp("retrained") / "ours"
    said = io.StringIO()
    request = replace(request_of, out=out, check=(simulated_ptbxl,), accept=True)
    run_training(request, Console(file=said, width=200))
    return out, said.getvalue()


@pytest.fixture(scope="module")
def recordings(bundle_dir: Path, simulated_ptbxl: Path) -> LabelledRecordings:
    folds = (TRAIN_FOLD, VALIDATION_FOLD)
    config = load_bundle(bundle_dir).preprocessing
    return load_ptbxl([simulated_ptbxl], folds, VOCABULARY, config)


def test_both_bundles_stand_side_by_side_on_patients_who_were_held_out(
    retrained: tuple[Path, str], bundle_dir: Path
) -> None:
    out, said = retrained
    document = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert document["accepted"] is True
    assert document["published"] is True
    assert document["old"]["sha256"] == load_bundle(bundle_dir).sha256
    held_out, check = document["sets"]
    assert (held_out["name"], check["name"]) == ("held-out patients", "check set")
    assert 10 <= held_out["n"] == held_out["n_patients"] < N_PATIENTS / 2
    assert check["what"] == "simulated-ptb-xl, folds 2"
    for one in document["sets"]:
        difference = np.mean([pair["new"] - pair["old"] for pair in one["per_class"].values()])
        assert one["difference"] == pytest.approx(difference)
        assert one["interval"]["low"] <= one["difference"] <= one["interval"]["high"]
        assert not {"any:AFIB/AFLT", "CD"} & set(one["per_class"])
        assert f"{one['n']} recordings of {one['n_patients']} patients" in said
    assert "macro AUC, tiny before" in said
    assert f"bundle ours is in {out}" in said.replace("\n", "")
    assert [path.name for path in out.parent.iterdir()] == ["ours"]


def test_the_manifest_tells_what_the_base_was_trained_on(
    retrained: tuple[Path, str], bundle_dir: Path
) -> None:
    base, new = load_bundle(bundle_dir), load_bundle(retrained[0])
    training = new.manifest["training"]
    assert training["base"] == {"name": "tiny", "sha256": base.sha256}
    assert training["dataset"] == ["site.csv", "simulated recordings"]
    assert (training["train_folds"], training["validation_folds"]) == ([TRAIN_FOLD], [])
    assert training["check_folds"] == [VALIDATION_FOLD]
    assert new.seen_concepts >= base.seen_concepts
    assert training["config"]["learning_rate"] == 3e-4
    assert "p1" not in json.dumps(new.manifest)


def test_a_bundle_that_nobody_can_judge_is_left_aside(
    request_of: TrainRequest, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_sets, "N_SIMULATED", 48)
    out = tmp_path / "ours"
    request = replace(request_of, tables=(site / "few.csv",), out=out)
    said = io.StringIO()
    with pytest.raises(NotPublishedError, match=r"patients? (is|are) too few to tell") as refusal:
        run_training(request, Console(file=said, width=200))
    before, _, _ = said.getvalue().partition("epoch 1 of 1")
    assert "too few, at least 10 are needed: nobody will be able to tell" in before
    assert "ours.rejected; give more recordings, or --accept" in before.replace("\n", "")
    assert refusal.value.exit_code == ExitCode.CHECK_FAILED
    assert "--accept" in refusal.value.advice
    aside = tmp_path / "ours.rejected"
    document = json.loads((aside / "comparison.json").read_text(encoding="utf-8"))
    assert document["published"] is False
    assert document["sets"][0]["verdict"] == "not known"
    assert document["sets"][0]["interval"] == {"low": None, "high": None}
    assert document["sets"][1]["what"] == "48 simulated recordings of known rhythm"
    assert load_bundle(aside).name == "ours"
    assert [path.name for path in tmp_path.iterdir()] == ["ours.rejected"]
    with pytest.raises(UsageError, match=r"ours\.rejected is not empty"):
        run_training(request, Console(file=io.StringIO()))


def test_a_comparison_finds_the_bundle_that_ranks_right(
    retrained: tuple[Path, str], bundle_dir: Path, recordings: LabelledRecordings
) -> None:
    old, new = load_bundle(bundle_dir), load_bundle(retrained[0])
    truth = _as_scored_by(old, recordings)
    names = {"name": "set", "what": "recordings"}
    same = compare(old, old, truth, VOCABULARY, **names)
    assert (same.old, same.difference, same.verdict) == (1.0, 0.0, Verdict.NOT_WORSE)
    worse = compare(old, new, truth, VOCABULARY, **names)
    assert worse.new < 1
    assert worse.verdict is Verdict.WORSE
    better = compare(new, old, truth, VOCABULARY, **names)
    assert better.verdict is Verdict.NOT_WORSE
    assert better.interval.low == pytest.approx(-worse.interval.high)


def _as_scored_by(bundle: Bundle, recordings: LabelledRecordings) -> LabelledRecordings:
    """Who scores above the median for atrial fibrillation or a left bundle branch block has it."""
    embeddings = _embeddings(bundle, recordings)
    carried = np.zeros_like(recordings.carried)
    for key in ("AFIB", "CLBBB"):
        scores = embeddings @ bundle.direction(key)
        carried[:, recordings.concept_ids.index(key)] = scores > np.median(scores)
    return replace(recordings, carried=carried)


def _embeddings(bundle: Bundle, recordings: LabelledRecordings) -> NDArray[np.float32]:
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32")
    return embed(engine, recordings).astype(np.float32)


def test_recordings_of_one_kind_or_of_few_patients_cannot_tell(
    bundle_dir: Path, recordings: LabelledRecordings
) -> None:
    bundle = load_bundle(bundle_dir)
    few = replace(recordings, patients=np.array([f"{k % 9}" for k in range(N_PATIENTS)]))
    one_kind = replace(recordings, carried=np.zeros_like(recordings.carried))
    for unclear in (few, one_kind):
        found = compare(bundle, bundle, unclear, VOCABULARY, name="set", what="recordings")
        assert found.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("interval", "verdict", "published"),
    [
        (Interval(-0.2, -0.01), Verdict.WORSE, False),
        (Interval(-0.2, 0.01), Verdict.NOT_WORSE, True),
        (Interval(float("nan"), float("nan")), Verdict.UNKNOWN, False),
    ],
)
def test_one_set_on_which_it_is_worse_is_enough(
    interval: Interval, verdict: Verdict, published: bool
) -> None:
    good = Comparison(
        "held-out", "", 40, 40, 0.8, 0.9, 0.1, Interval(0.05, 0.2), Verdict.NOT_WORSE, {}
    )
    other = replace(good, name="check", interval=interval, verdict=verdict, difference=-0.05)
    decision = Decision(None, (good, other), accepted=False)
    assert decision.published is published
    assert replace(decision, accepted=True).published
    if not published:
        assert "check: " in decision.complaint(Path("a"), Path("b")).message
        assert "held-out" not in decision.complaint(Path("a"), Path("b")).message


def test_a_run_without_a_bundle_before_has_nothing_against_it() -> None:
    assert Decision(None, (), accepted=False).published


def test_training_goes_on_from_the_scores_of_the_base(
    request_of: TrainRequest, bundle_dir: Path, recordings: LabelledRecordings
) -> None:
    base = load_bundle(bundle_dir)
    config = request_of.config(base)
    rows = rows_of_folds(recordings.folds, [TRAIN_FOLD])
    objective = StatementObjective(recordings, rows, VOCABULARY, config)
    start_from(base, objective, recordings, rows, config)
    scores = score_rows(objective, recordings, rows)
    embeddings = _embeddings(base, recordings)[rows]
    directions = np.stack([base.direction(key) for key in objective.seen])
    # float16, as a scan stores them
    np.testing.assert_allclose(scores, embeddings @ directions.T, atol=2e-3)
    fitted = objective.model.log_scale.item(), objective.model.bias.item()
    fresh = StatementObjective(recordings, rows, VOCABULARY, config).model
    assert fitted != (fresh.log_scale.item(), fresh.bias.item())


def test_what_was_trained_goes_back_towards_the_base_by_its_share(
    request_of: TrainRequest, bundle_dir: Path, recordings: LabelledRecordings
) -> None:
    base = load_bundle(bundle_dir)
    config = replace(
        request_of.config(base), train_folds=(TRAIN_FOLD,), validation_folds=(VALIDATION_FOLD,)
    )

    def trained(share: float) -> dict[str, torch.Tensor]:
        model = train(recordings, VOCABULARY, replace(config, base_share=share), base=base).model
        return model.encoder.state_dict() | model.text.state_dict()

    text = TextProjection.from_text_head(base.text_head)
    before = base_encoder(base).state_dict() | text.state_dict()
    after, blended = trained(0.0), trained(0.25)
    for key in ("head.weight", "stem.1.running_var", "layer_1.weight", "layer_2.bias"):
        assert not torch.equal(after[key], before[key])
        torch.testing.assert_close(blended[key], 0.25 * before[key] + 0.75 * after[key])
    assert blended["stem.1.num_batches_tracked"] == after["stem.1.num_batches_tracked"] > 0
