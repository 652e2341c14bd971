"""A run that was cut off goes on as if nothing had happened; measuring it changes nothing."""

from __future__ import annotations

import resource
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from trainer.checkpoint import Checkpoint
from trainer.config import PRESETS, TrainConfig
from trainer.data import LabelledRecordings
from trainer.train import TrainedModel, train

VOCABULARY = load_vocabulary()


class CutOffError(Exception):
    """The power went."""


@pytest.fixture(scope="module")
def uninterrupted(recordings: LabelledRecordings, config: TrainConfig) -> TrainedModel:
    return train(recordings, VOCABULARY, config)


def cut_off(
    recordings: LabelledRecordings, config: TrainConfig, file: Path, *, after_step: int
) -> None:
    def stop(step: int, _loss: float) -> None:
        if step > after_step:
            raise CutOffError

    with pytest.raises(CutOffError):
        train(recordings, VOCABULARY, config, on_step=stop, checkpoint=Checkpoint(file, every_s=0))


def same(a: TrainedModel, b: TrainedModel) -> bool:
    left, right = a.model.state_dict(), b.model.state_dict()
    return all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize("after_step", [1, 3, 4])
def test_resumed_run_is_the_uninterrupted_one(
    recordings: LabelledRecordings,
    config: TrainConfig,
    uninterrupted: TrainedModel,
    tmp_path: Path,
    after_step: int,
) -> None:
    # Three steps an epoch: within the first, at its end, within the second.
    file = tmp_path / "run.checkpoint"
    cut_off(recordings, config, file, after_step=after_step)
    torch.manual_seed(999)
    resumed = train(recordings, VOCABULARY, config, checkpoint=Checkpoint(file, resume=True))
    assert [e.loss for e in resumed.history] == [e.loss for e in uninterrupted.history]
    assert same(resumed, uninterrupted)


def test_a_finished_run_is_not_trained_again(
    recordings: LabelledRecordings,
    config: TrainConfig,
    uninterrupted: TrainedModel,
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.checkpoint"
    train(recordings, VOCABULARY, config, checkpoint=Checkpoint(file))
    steps: list[int] = []
    numbers: list[int] = []
    again = train(
        recordings,
        VOCABULARY,
        config,
        lambda epoch: numbers.append(epoch.number),
        on_step=lambda step, _loss: steps.append(step),
        checkpoint=Checkpoint(file, resume=True),
    )
    assert same(again, uninterrupted)
    assert (steps, numbers) == ([], [1, 2])


def test_the_papers_preset_resumes_too(
    recordings: LabelledRecordings, config: TrainConfig, tmp_path: Path
) -> None:
    options = PRESETS["paper"] | {"epochs": 2, "batch_size": 24, "view_weight": 0.5}
    paper = replace(config, **options, feature_weight=0.5)
    file = tmp_path / "run.checkpoint"
    whole = train(recordings, VOCABULARY, paper)
    cut_off(recordings, paper, file, after_step=2)
    resumed = train(recordings, VOCABULARY, paper, checkpoint=Checkpoint(file, resume=True))
    assert same(resumed, whole)


def test_validation_changes_nothing(
    recordings: LabelledRecordings, config: TrainConfig, uninterrupted: TrainedModel
) -> None:
    watched = train(recordings, VOCABULARY, replace(config, validate_every=1))
    assert same(watched, uninterrupted)
    assert all(0 <= epoch.validation_auc <= 1 for epoch in watched.history)


def test_a_checkpoint_of_another_run_is_refused(
    recordings: LabelledRecordings, config: TrainConfig, tmp_path: Path
) -> None:
    file = tmp_path / "run.checkpoint"
    cut_off(recordings, config, file, after_step=1)
    other = replace(config, learning_rate=1e-4)
    with pytest.raises(UsageError, match=r"learning rate was 0\.003, is 0\.0001"):
        train(recordings, VOCABULARY, other, checkpoint=Checkpoint(file, resume=True))


def test_a_file_that_is_no_checkpoint_is_refused(
    recordings: LabelledRecordings, config: TrainConfig, tmp_path: Path
) -> None:
    file = tmp_path / "run.checkpoint"
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(UsageError, match="no checkpoint"):
        train(recordings, VOCABULARY, config, checkpoint=Checkpoint(file, resume=True))


def test_a_crash_while_writing_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "run.checkpoint", resume=True)
    checkpoint.save({"total": 1.0}, {"seed": 0})

    def fail(_state: object, _file: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save({"total": 2.0}, {"seed": 0})
    assert checkpoint.load({"seed": 0}) == {"total": 1.0}


def test_checkpoints_are_written_by_the_clock(tmp_path: Path) -> None:
    now = [0.0]
    checkpoint = Checkpoint(tmp_path / "c", every_s=10.0, clock=lambda: now[0])
    due = []
    for second in (5.0, 11.0, 15.0, 22.0):
        now[0] = second
        due.append(checkpoint.due())
    assert due == [False, True, False, True]


def test_a_full_disk_leaves_the_old_checkpoint_and_nothing_half_written(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.checkpoint", resume=True)
    checkpoint.save({"step": 1}, {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            checkpoint.save({"step": 2, "weights": torch.zeros(1_000_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint"]
    state = checkpoint.load({})
    assert state is not None
    assert state["step"] == 1
