"""From recordings in PTB-XL's layout to a bundle that scores them, once round."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.errors import UsageError
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.simulate import Rhythm
from ecgscreen.vocabulary import load_vocabulary
from engines.select import load_engine
from tests.tiny_bundle import TRAIN_FOLD, VALIDATION_FOLD
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, load_ptbxl
from trainer.evaluate import Evaluation, embed, thresholds_from
from trainer.evaluate_sets import evaluate_ptbxl
from trainer.export import PARITY_TOLERANCE, export_bundle
from trainer.metrics import auc, best_f1_threshold
from trainer.onnx_export import restore_encoder
from trainer.platt import MIN_POSITIVES_TO_LEARN, fit_platt
from trainer.splits import PatientLeakError
from trainer.train import Epoch, TrainedModel, train

VOCABULARY = load_vocabulary()
EPOCHS = 2


@pytest.fixture(scope="module")
def config(config: TrainConfig) -> TrainConfig:
    return replace(config, epochs=EPOCHS, batch_size=12)


@pytest.fixture(scope="module")
def trained(recordings: LabelledRecordings, config: TrainConfig) -> TrainedModel:
    return train(recordings, VOCABULARY, config)


@pytest.fixture(scope="module")
def bundle(
    trained: TrainedModel,
    recordings: LabelledRecordings,
    config: TrainConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    folder = tmp_path_factory.mktemp("trained") / "bundle"
    export_bundle(
        trained,
        recordings,
        VOCABULARY,
        config,
        folder,
        name="once round",
        dataset=["simulated-ptb-xl"],
        licence="Apache-2.0",
    )
    return load_bundle(folder)


def weights(trained: TrainedModel) -> dict[str, torch.Tensor]:
    return {k: v for k, v in trained.model.state_dict().items() if v.is_floating_point()}


def test_training_moves_the_weights_and_says_how(
    trained: TrainedModel, recordings: LabelledRecordings
) -> None:
    assert [epoch.number for epoch in trained.history] == [1, 2]
    losses = [epoch.loss for epoch in trained.history]
    assert np.isfinite(losses).all()
    assert losses[1] < losses[0]
    assert trained.history[-1].learning_rate < 1e-4
    assert not trained.model.training
    assert all(tensor.isfinite().all() for tensor in weights(trained).values())
    carried = recordings.carried[recordings.folds == TRAIN_FOLD].any(axis=0)
    assert trained.seen == tuple(np.array(recordings.concept_ids)[carried].tolist())


def test_one_seed_gives_one_model(
    trained: TrainedModel, recordings: LabelledRecordings, config: TrainConfig
) -> None:
    torch.manual_seed(99)
    told: list[Epoch] = []
    again = train(recordings, VOCABULARY, config, told.append)
    assert tuple(told) == again.history
    losses = [epoch.loss for epoch in again.history]
    assert losses == [epoch.loss for epoch in trained.history]
    expected = weights(trained)
    for name, tensor in weights(again).items():
        assert torch.equal(tensor, expected[name]), name


def test_another_seed_gives_another_model(
    trained: TrainedModel, recordings: LabelledRecordings, config: TrainConfig
) -> None:
    other = train(recordings, VOCABULARY, replace(config, seed=1, epochs=1))
    assert not torch.equal(
        weights(other)["encoder.head.weight"], weights(trained)["encoder.head.weight"]
    )


def test_validation_recordings_are_never_trained_on(
    trained: TrainedModel, recordings: LabelledRecordings, config: TrainConfig
) -> None:
    held_out = recordings.folds == VALIDATION_FOLD
    windows, carried = recordings.windows.copy(), recordings.carried.copy()
    windows[held_out] = windows[held_out][:, :, ::-1] * 2
    carried[held_out] = ~carried[held_out]
    changed = replace(recordings, windows=windows, carried=carried)
    again = train(changed, VOCABULARY, config)
    expected = weights(trained)
    for name, tensor in weights(again).items():
        assert torch.equal(tensor, expected[name]), name


def test_a_patient_on_both_sides_is_refused(
    recordings: LabelledRecordings, config: TrainConfig
) -> None:
    patients = recordings.patients.copy()
    patients[0] = patients[1]
    with pytest.raises(PatientLeakError, match="1 patient is on both sides"):
        train(replace(recordings, patients=patients), VOCABULARY, config)


def test_fewer_recordings_than_a_batch_are_refused(
    recordings: LabelledRecordings, config: TrainConfig
) -> None:
    with pytest.raises(UsageError, match="less than a batch of 500"):
        train(recordings, VOCABULARY, replace(config, batch_size=500))


def test_folds_that_overlap_are_refused(config: TrainConfig) -> None:
    with pytest.raises(UsageError, match=r"folds \[1\] would be trained on and validated on"):
        replace(config, validation_folds=(1, 2))


def test_the_bundle_holds_what_was_trained(
    bundle: Bundle, trained: TrainedModel, recordings: LabelledRecordings, config: TrainConfig
) -> None:
    restored = restore_encoder(bundle.encoder_onnx).state_dict()
    for name, tensor in trained.model.encoder.state_dict().items():
        if tensor.is_floating_point():
            assert torch.equal(restored[name], tensor), name
    assert bundle.preprocessing == config.preprocess
    assert bundle.seen_concepts == set(trained.seen)
    training = bundle.manifest["training"]
    n_train = int((recordings.folds == TRAIN_FOLD).sum())
    assert (training["train_folds"], training["n_recordings"]) == ([TRAIN_FOLD], n_train)
    assert bundle.reference is not None
    assert len(bundle.reference) == n_train
    assert json.loads(json.dumps(training["config"]))["seed"] == config.seed


@pytest.mark.parametrize("name", ["openvino", "pytorch"])
def test_the_check_batch_reproduces(bundle: Bundle, name: str) -> None:
    check = bundle.check
    assert len(check["windows"]) == len(Rhythm)
    assert not check["lead_mask"].all()
    found = load_engine(name, bundle.encoder_onnx, precision="f32").embed(
        check["windows"], check["lead_mask"]
    )
    assert np.abs(found - check["embeddings"]).max() < PARITY_TOLERANCE


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = vectors.mean(axis=0)
    direction: NDArray[np.float32] = mean / np.linalg.norm(mean)
    return direction


def test_concepts_are_the_mean_of_their_wordings(bundle: Bundle, trained: TrainedModel) -> None:
    seen = [(k, c) for k, c in enumerate(VOCABULARY.concepts) if c.id in trained.seen]
    assert any(concept.signs for _, concept in seen)
    for number, concept in seen:
        raw = trained.text_encoder.embed(concept.wordings)
        expected = _unit(bundle.text_head.project(raw))
        assert bundle.concepts[concept.id] == pytest.approx(expected, abs=1e-5)
        assert bundle.concept_texts[number] == pytest.approx(_unit(raw), abs=1e-3)


def test_unseen_concepts_lie_towards_their_signs_too(bundle: Bundle, trained: TrainedModel) -> None:
    described = [c for c in VOCABULARY.concepts if c.signs and c.id not in trained.seen]
    assert described
    for concept in described:
        wordings = _unit(bundle.text_head.project(trained.text_encoder.embed(concept.wordings)))
        signs = _unit(bundle.text_head.project(trained.text_encoder.embed(concept.signs)))
        expected = wordings / 2 + signs
        expected /= np.linalg.norm(expected)
        assert bundle.concepts[concept.id] == pytest.approx(expected, abs=1e-5)


def test_thresholds_are_the_validation_folds(
    bundle: Bundle, recordings: LabelledRecordings
) -> None:
    rows = np.flatnonzero(recordings.folds == VALIDATION_FOLD)
    carried = recordings.carried[rows]
    enough = carried.sum(axis=0) >= MIN_POSITIVES_TO_LEARN
    expected = set(np.array(recordings.concept_ids)[enough].tolist()) & bundle.seen_concepts
    assert set(bundle.operating_points) == expected
    assert expected
    engine = load_engine("pytorch", bundle.encoder_onnx, precision="f32")
    embeddings = engine.embed(recordings.windows[rows], recordings.lead_mask[rows])
    for concept, point in bundle.operating_points.items():
        column = carried[:, recordings.concept_ids.index(concept)]
        direction = quantise_directions(bundle.concepts[concept][None])
        scores = score(embeddings.astype(np.float16), direction)[:, 0]
        assert point.threshold == pytest.approx(best_f1_threshold(scores, column)[0], abs=1e-6)
        assert (point.n, point.n_positive) == (len(rows), int(column.sum()))


def test_probabilities_are_learned_on_the_validation_folds(
    bundle: Bundle, recordings: LabelledRecordings
) -> None:
    rows = np.flatnonzero(recordings.folds == VALIDATION_FOLD)
    engine = load_engine("pytorch", bundle.encoder_onnx, precision="f32")
    embeddings = engine.embed(recordings.windows[rows], recordings.lead_mask[rows])
    said = bundle.manifest["calibration"]
    assert said["set"].endswith(f"folds [{VALIDATION_FOLD}]")
    assert set(said["concepts"]) == set(bundle.platt_scalings)
    for concept in bundle.operating_points:
        positive = recordings.carried[rows, recordings.concept_ids.index(concept)]
        direction = quantise_directions(bundle.concepts[concept][None])
        scores = score(embeddings.astype(np.float16), direction)[:, 0]
        slope, intercept = fit_platt(scores, positive)
        scaling = bundle.platt_scalings.get(concept)
        # An encoder of two epochs may well score the wrong way around: no probability then.
        if slope <= 0 or (~positive).sum() < MIN_POSITIVES_TO_LEARN:
            assert scaling is None
        else:
            assert scaling is not None
            assert scaling.slope == pytest.approx(slope, rel=1e-3)
            assert scaling.intercept == pytest.approx(intercept, rel=1e-3)
            assert said["concepts"][concept]["n_positive"] == positive.sum()


def test_a_folder_in_use_is_not_overwritten(
    bundle: Bundle, trained: TrainedModel, recordings: LabelledRecordings, config: TrainConfig
) -> None:
    before = (bundle.path / "manifest.json").read_bytes()
    with pytest.raises(UsageError, match="is not empty"):
        export_bundle(
            trained,
            recordings,
            VOCABULARY,
            config,
            bundle.path,
            name="again",
            dataset=[],
            licence="",
        )
    assert (bundle.path / "manifest.json").read_bytes() == before


def test_evaluation_is_what_the_scores_say(
    bundle: Bundle, simulated_ptbxl: Path, recordings: LabelledRecordings
) -> None:
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32")
    evaluation = evaluate_ptbxl(
        bundle,
        engine,
        VOCABULARY,
        [simulated_ptbxl],
        task="rhythm",
        folds=[VALIDATION_FOLD],
        protocol="multilabel",
    )
    assert isinstance(evaluation, Evaluation)
    rows = np.flatnonzero(recordings.folds == VALIDATION_FOLD)
    assert (evaluation.n, evaluation.n_skipped) == (len(rows), 0)
    held_out = load_ptbxl([simulated_ptbxl], [VALIDATION_FOLD], VOCABULARY, bundle.preprocessing)
    embeddings = embed(engine, held_out)
    aucs = []
    for concept in VOCABULARY.task("rhythm"):
        positive = held_out.carried[:, held_out.concept_ids.index(concept.id)]
        scores = score(embeddings, quantise_directions(bundle.concepts[concept.id][None]))[:, 0]
        result = evaluation.per_class[concept.id]
        assert result.n_positive == positive.sum()
        if positive.sum() >= 5:
            assert result.auc == pytest.approx(auc(scores, positive), abs=1e-9)
            aucs.append(result.auc)
        else:
            assert np.isnan(result.auc)
    assert evaluation.n_classes == len(aucs)
    assert evaluation.macro_auc == pytest.approx(np.mean(aucs), abs=1e-9)
    assert evaluation.macro_auc_ci.low < evaluation.macro_auc < evaluation.macro_auc_ci.high


def test_no_figure_at_a_threshold_stands_for_the_fold_it_was_fitted_to(
    bundle: Bundle, simulated_ptbxl: Path
) -> None:
    assert set(bundle.operating_points) & {c.id for c in VOCABULARY.task("rhythm")}
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32")
    evaluation = evaluate_ptbxl(
        bundle, engine, VOCABULARY, [simulated_ptbxl], task="rhythm", folds=[VALIDATION_FOLD]
    )
    assert isinstance(evaluation, Evaluation)
    assert evaluation.n_thresholds == 0
    assert np.isnan(evaluation.f1)
    assert thresholds_from(bundle, [VALIDATION_FOLD, 9]) == (VALIDATION_FOLD,)
    assert thresholds_from(bundle, [9]) == ()


def test_measuring_on_a_training_fold_is_refused(bundle: Bundle, simulated_ptbxl: Path) -> None:
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32")
    with pytest.raises(UsageError, match=r"was trained on folds \[1\]"):
        evaluate_ptbxl(
            bundle,
            engine,
            VOCABULARY,
            [simulated_ptbxl],
            task="rhythm",
            folds=[TRAIN_FOLD, VALIDATION_FOLD],
            protocol="multilabel",
        )
