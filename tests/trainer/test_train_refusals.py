"""What ``train`` refuses before the first epoch, and what a failure on the way leaves."""

from __future__ import annotations

import io
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ecgscreen.errors import DivergedError, ExitCode, StoreError, UsageError
from ecgscreen.simulate import write_dataset
from ecgscreen.vocabulary import load_vocabulary
from tests.command_line import Run
from tests.labelled_recordings import labelled
from tests.tiny_bundle import TRAIN_FOLD
from trainer.checkpoint import Checkpoint
from trainer.comparison import cannot_tell
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, select
from trainer.export import export_bundle
from trainer.request import TrainRequest
from trainer.run import run_training
from trainer.splits import check_patients_disjoint
from trainer.train import train

VOCABULARY = load_vocabulary()


def test_an_out_that_cannot_be_is_2_before_the_work(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "lost").symlink_to("nowhere")
    for out, said in (
        ("file", "is no folder"),
        ("file/below/it", "is no folder: "),
        ("link", "is a link or a mount point"),
        ("lost", "is a link or a mount point"),
        ("..", "names no folder to make"),
    ):
        refused = run("train", tmp_path, "--out", tmp_path / out)
        assert (refused.code, said in refused.said) == (ExitCode.USAGE, True), refused.said
    for out in ("", ".", "/"):
        assert run("train", tmp_path, "--out", out).code == ExitCode.USAGE
    refused = run("train", tmp_path, "--out", tmp_path / "new", "--text-cache", tmp_path / "file")
    assert (refused.code, "file is no folder" in refused.said) == (ExitCode.USAGE, True)
    # Whatever stands where the bundle is made.
    (tmp_path / "new.partial").touch()
    refused = run("train", tmp_path, "--out", tmp_path / "new")
    assert (refused.code, "new.partial is no folder" in refused.said) == (ExitCode.USAGE, True)
    names = {"file", "folder", "link", "lost", "new.partial"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize(
    "options",
    [
        ("--learning-rate", "0"),
        ("--learning-rate", "nan"),
        ("--view-weight", "inf"),
        ("--feature-weight", "nan"),
        ("--checkpoint-minutes", "nan"),
        ("--seed", "-1"),
        ("--seed", str(2**70)),
        ("--train-folds", "1-99999999999"),
        ("--train-folds", ""),
        ("--base", ""),
        ("--base", "nowhere"),
    ],
)
def test_numbers_that_are_none_are_refused(
    run: Run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    refused = run("train", tmp_path, "--out", tmp_path / "new", *options)
    expected = ExitCode.FAILED if options[1] == "nowhere" else ExitCode.USAGE
    assert refused.code == expected, refused.said
    assert list(tmp_path.iterdir()) == []


def test_a_patient_on_both_sides_is_a_sentence() -> None:
    both = np.array(["a", "b", "a"])
    with pytest.raises(UsageError, match="1 patient is on both sides") as refused:
        check_patients_disjoint(both, np.array([0, 1]), np.array([2]))
    assert refused.value.exit_code == ExitCode.USAGE


def test_held_out_patients_who_cannot_tell_are_found_before_the_training() -> None:
    both = [{"SR"}, {"AFIB"}] * 10
    assert cannot_tell(labelled(both), VOCABULARY) == ""
    assert "no statement" in cannot_tell(labelled([{"SR"}] * 20), VOCABULARY)
    assert "no statement" in cannot_tell(labelled([set()] * 20), VOCABULARY)
    assert "no statement" in cannot_tell(labelled([]), VOCABULARY)
    # A group alone does not count: it would count its members twice.
    groups = [{"CD"} if k % 2 else {"STTC"} for k in range(20)]
    assert "no statement" in cannot_tell(labelled(groups), VOCABULARY)
    one = cannot_tell(labelled(both, patients=["p"] * 20), VOCABULARY)
    assert one == "1 patient is too few, at least 10 are needed"
    few = cannot_tell(labelled(both, patients=[f"p{k % 9}" for k in range(20)]), VOCABULARY)
    assert few.startswith("9 patients are too few")


def test_a_loss_that_is_no_number_ends_the_training_and_keeps_the_checkpoint(
    recordings: LabelledRecordings, config: TrainConfig, tmp_path: Path
) -> None:
    file = tmp_path / "run.checkpoint"
    wild = replace(config, learning_rate=1e36)
    with pytest.raises(DivergedError, match=r"epoch 1, step \d of 3: the \w+ is ") as stopped:
        train(recordings, VOCABULARY, wild, checkpoint=Checkpoint(file, every_s=0))
    assert stopped.value.exit_code == ExitCode.FAILED
    assert "--learning-rate 1e+35" in stopped.value.advice
    kept = Checkpoint(file, resume=True)
    with pytest.raises(UsageError, match=r"learning rate was 1e\+36, is 0.003"):
        train(recordings, VOCABULARY, config, checkpoint=kept)


def test_a_signal_that_is_no_number_stops_at_its_step(
    recordings: LabelledRecordings, config: TrainConfig
) -> None:
    windows = recordings.windows.copy()
    windows[recordings.folds == TRAIN_FOLD] = np.inf
    steps: list[int] = []
    with pytest.raises(DivergedError, match="epoch 1, step 1 of 3: the loss is"):
        train(
            replace(recordings, windows=windows),
            VOCABULARY,
            replace(config, measurement_weight=0.0, sign_weight=0.0),
            on_step=lambda step, _loss: steps.append(step),
        )
    assert steps == []


def test_a_checkpoint_of_other_recordings_is_refused(
    recordings: LabelledRecordings, config: TrainConfig, tmp_path: Path
) -> None:
    file = tmp_path / "run.checkpoint"
    once = replace(config, epochs=1)
    train(recordings, VOCABULARY, once, checkpoint=Checkpoint(file))
    resumed = Checkpoint(file, resume=True)
    carried = recordings.carried.copy()
    carried[:, recordings.concept_ids.index("AFIB")] ^= True
    for others in (
        replace(recordings, windows=recordings.windows * np.float32(1.01)),
        replace(recordings, carried=carried),
        replace(recordings, ages=recordings.ages + 1),
    ):
        with pytest.raises(UsageError, match="the recordings, or what they carry, were others"):
            train(others, VOCABULARY, once, checkpoint=resumed)
    fewer = select(recordings, np.flatnonzero(np.arange(len(recordings.windows)) != 0))
    with pytest.raises(UsageError, match="number of training recordings was 72, is 71"):
        train(fewer, VOCABULARY, once, checkpoint=resumed)
    narrower = replace(once, augment=replace(once.augment, gain_spread=0.0))
    with pytest.raises(UsageError, match=r"augment: gain spread was 0\.\d+, is 0\.0"):
        train(recordings, VOCABULARY, narrower, checkpoint=resumed)
    assert train(recordings, VOCABULARY, once, checkpoint=resumed).history


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rubbish", b"\x80\x02]q\x00.", b"a" * 100])
def test_a_rubbish_checkpoint_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "run.checkpoint"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="is no checkpoint of a training"):
        Checkpoint(file, resume=True).load({})


def test_a_disk_that_is_full_at_the_end_costs_no_training(
    simulated_ptbxl: Path, language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def export_on_a_full_disk(*arguments: Any, **more: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        try:
            export_bundle(*arguments, **more)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    request = TrainRequest(
        folders=(simulated_ptbxl,),
        out=tmp_path / "bundle",
        name="tiny",
        train_folds="1",
        validation_folds="2",
        epochs=1,
        batch_size=36,
        seed=0,
        text_encoder=str(language_model),
        licence="Apache-2.0",
        with_reference=False,
        device="cpu",
        resume=True,
    )
    with monkeypatch.context() as full:
        full.setattr("trainer.run.export_bundle", export_on_a_full_disk)
        with pytest.raises(StoreError, match="cannot be written: File too large") as refused:
            run_training(request, Console(file=io.StringIO()))
    assert "--resume" in refused.value.advice
    left = {path.name for path in (tmp_path / "bundle.partial").iterdir()}
    assert left == {"run.checkpoint", "training.csv", "training.svg"}
    said = io.StringIO()
    run_training(request, Console(file=said, width=200))
    assert f"bundle tiny is in {tmp_path / 'bundle'}" in said.getvalue()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_what_there_is_not_is_not_measured_on(run: Run, tmp_path: Path) -> None:
    for dataset in ("ptb-xl", "mit-bih", "ludb", "cinc", "table"):
        refused = run("evaluate", dataset, tmp_path / "gone")
        assert refused.code == ExitCode.USAGE
        assert f"{tmp_path / 'gone'} does not exist" in refused.said
    refused = run("evaluate", "ptb-xl", tmp_path, "--concepts", ",")
    assert (refused.code, "concepts ',' name nothing" in refused.said) == (ExitCode.USAGE, True)


def test_files_that_the_command_has_not_made_are_not_written_over(
    run: Run, bundle_dir: Path, simulated_ptbxl: Path, tmp_path: Path
) -> None:
    table = write_dataset(tmp_path / "records", 3, seed=1, sampling_rate=100.0)
    before = table.read_bytes()
    calibrate = ("calibrate", table, "--labels", "rhythm", "--bundle", bundle_dir, "--out")
    measured = ("--task", "rhythm", "--folds", 2, "--bundle", bundle_dir, "--json")
    evaluate = ("evaluate", "ptb-xl", simulated_ptbxl, *measured)
    for words in (calibrate, evaluate):
        refused = run(*words, table)
        assert refused.code == ExitCode.USAGE
        assert "exists, and this command has not made it" in refused.said
        below = run(*words, table / "figures.json")
        assert (below.code, "there is no folder" in below.said) == (ExitCode.USAGE, True)
        assert run(*words, tmp_path).code == ExitCode.USAGE
    assert table.read_bytes() == before
    figures = tmp_path / "figures.json"
    assert run(*evaluate, figures).code == ExitCode.OK
    assert run(*evaluate, figures).code == ExitCode.OK  # its own may be made anew
