"""The command ``train``: presets, what it leaves behind, what it says on the way."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from ecgscreen.bundle import load_bundle
from ecgscreen.errors import ExitCode, StoreError, UsageError
from tests.command_line import Run
from tests.tiny_bundle import TEXT_SIZE
from trainer.checkpoint import Checkpoint
from trainer.model import LinearTextProjection
from trainer.request import TrainRequest
from trainer.run import run_training
from trainer.steps import Epoch, Steps
from trainer.training_log import curves_svg, write_csv
from trainer.training_progress import TrainingProgress

REQUEST = TrainRequest(
    folders=(Path("ptb-xl"),),
    out=Path("out"),
    name="tiny",
    train_folds="1",
    validation_folds="2",
    epochs=None,
    batch_size=None,
    seed=0,
    text_encoder=None,
    licence="Apache-2.0",
    with_reference=False,
)
HISTORY = [Epoch(1, 20.0, 1e-3), Epoch(2, 10.0, 3e-3, 0.75), Epoch(3, 5.0, 1e-4, 0.9)]


def test_what_is_given_comes_before_the_preset_and_that_before_the_defaults() -> None:
    default = REQUEST.config()
    assert (default.objective, default.epochs, default.optimiser) == ("statement", 40, "adamw")
    paper = replace(REQUEST, preset="paper").config()
    assert (paper.objective, paper.epochs, paper.batch_size) == ("clip", 50, 32)
    assert (paper.learning_rate, paper.weight_decay, paper.optimiser) == (1e-3, 1e-3, "adam")
    assert (paper.text_head, paper.temperature) == ("linear", 0.07)
    assert paper.encoder.embedding_size == 128
    assert paper.prompt == "The report of the ECG is that {text}"
    given = replace(REQUEST, preset="paper", epochs=3, objective="statement").config()
    assert (given.objective, given.epochs, given.batch_size) == ("statement", 3, 32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "papre"}, "preset 'papre'"),
        ({"objective": "nonsense"}, "objective 'nonsense'"),
        ({"feature_layers": (7,)}, r"feature layers \[7\]"),
        ({"train_folds": "1-2"}, "trained on and validated on"),
        ({"device": "tpu"}, "device 'tpu'"),
    ],
)
def test_what_is_not_usable_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(REQUEST, **changes).config()


def test_the_papers_preset_makes_a_bundle_and_a_failure_at_its_end_costs_no_training(
    simulated_ptbxl: Path, language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bundle"
    said = io.StringIO()
    request = replace(
        REQUEST,
        folders=(simulated_ptbxl,),
        out=out,
        preset="paper",
        epochs=1,
        batch_size=36,
        text_encoder=str(language_model),
        device="cpu",
        resume=True,
    )

    def fail(*_arguments: object, **_more: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr("trainer.run.export_bundle", fail)
        with pytest.raises(StoreError, match="disk full"):
            run_training(request, Console(file=io.StringIO()))
    assert (tmp_path / "bundle.partial" / "run.checkpoint").exists()
    monkeypatch.setattr(Steps, "take", fail)  # nothing is trained a second time
    run_training(request, Console(file=said, width=120))
    bundle = load_bundle(out)
    assert bundle.manifest["text_encoder"]["prompt"] == "The report of the ECG is that {text}"
    assert "144 recordings have no report" in said.getvalue()
    assert "epoch 1 of 1: loss" in said.getvalue()
    run = json.loads((out / "train.json").read_text(encoding="utf-8"))
    assert run["config"]["objective"] == "clip"
    rows = list(csv.DictReader((out / "training.csv").read_text().splitlines()))
    assert float(rows[0]["loss"]) == pytest.approx(run["history"][0]["loss"], abs=1e-5)
    assert (out / "training.svg").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    ("number", "code", "minutes", "words", "said"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED, 0, [], "the same command with --resume goes on"),
        (signal.SIGTERM, ExitCode.TERMINATED, 0, ["--resume"], "the same command goes on"),
        (signal.SIGINT, ExitCode.INTERRUPTED, 9, [], "there is no checkpoint to go on from."),
    ],
)
def test_interrupted_it_says_what_goes_on(
    simulated_ptbxl: Path,
    language_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
    number: signal.Signals,
    code: ExitCode,
    minutes: int,
    words: list[str],
    said: str,
) -> None:
    due = Checkpoint.due
    asked = iter(range(2))

    def interrupted(checkpoint: Checkpoint) -> bool:
        if next(asked, None) is None:
            os.kill(os.getpid(), number)
        return due(checkpoint)

    monkeypatch.setattr(Checkpoint, "due", interrupted)
    folds = ("--train-folds", "1", "--validation-folds", "2")
    ended = run(
        *("train", simulated_ptbxl, "--out", tmp_path / "bundle", "--device", "cpu", *folds),
        *("--preset", "paper", "--epochs", "9", "--batch-size", "36", *words),
        *("--text-encoder", language_model, "--checkpoint-minutes", minutes),
    )
    assert ended.code == code
    checkpoint = tmp_path / "bundle.partial" / "run.checkpoint"
    assert checkpoint.exists() == (minutes == 0)
    at = f"the last checkpoint is {checkpoint}; " if minutes == 0 else ""
    assert ended.err.endswith(f"Interrupted: {at}{said}{' from there.' * (minutes == 0)}\n")
    assert ended.err.count("Interrupted") == 1


def test_a_linear_text_head_is_the_same_in_the_bundles_form() -> None:
    torch.manual_seed(3)
    head = LinearTextProjection(TEXT_SIZE, 16)
    texts = torch.randn(5, TEXT_SIZE)
    with torch.no_grad():
        expected = head(texts).numpy()
    np.testing.assert_allclose(head.as_text_head().project(texts.numpy()), expected, atol=1e-6)


def test_log_leaves_out_what_was_not_measured(tmp_path: Path) -> None:
    write_csv(HISTORY, tmp_path / "log.csv")
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["validation_macro_auc"] for row in rows] == ["", "0.750000", "0.900000"]
    assert [float(row["loss"]) for row in rows] == [20, 10, 5]


def test_curves_are_a_picture_of_both_figures() -> None:
    root = ET.fromstring(curves_svg(HISTORY))
    lines = [element.get("points", "").split() for element in root if "polyline" in element.tag]
    assert [len(line) for line in lines] == [3, 2]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights == sorted(heights)  # downwards in a picture, as the loss falls
    assert heights[0] == pytest.approx(48)
    assert (heights[2] - heights[1]) / (heights[2] - heights[0]) == pytest.approx(1 / 3, abs=1e-2)


def test_curves_of_nothing_and_of_one_epoch_are_pictures_too() -> None:
    for history in ([], HISTORY[:1]):
        assert ET.fromstring(curves_svg(history)).tag.endswith("svg")


def test_lines_in_a_log_tell_loss_auc_and_the_time_left() -> None:
    said = io.StringIO()
    now = [0.0]
    console = Console(file=said, width=120)
    with TrainingProgress(console, 3, 10, clock=lambda: now[0]) as progress:
        for epoch in HISTORY:
            for step in range(10 * epoch.number - 9, 10 * epoch.number + 1):
                progress.on_step(step, epoch.loss)
                now[0] += 60.0
            progress.on_epoch(epoch)
    lines = said.getvalue().splitlines()
    assert lines[0] == "epoch 1 of 3: loss 20.000, about 23 min left"
    assert lines[1] == "epoch 2 of 3: loss 10.000, macro AUC 0.750, about 11 min left"
    assert lines[2] == "epoch 3 of 3: loss 5.000, macro AUC 0.900"
