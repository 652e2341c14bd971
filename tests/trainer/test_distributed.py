"""Two processes on this machine train as one does, and only the first leaves anything behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ecgscreen.errors import UsageError
from tests.trainer import joined_process
from trainer import distributed
from trainer.data import LabelledRecordings

ROOT = Path(__file__).parents[2]


def torchrun(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Start processes that reach each other over the loopback interface only."""
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(
        [*command, "--nproc-per-node", str(processes), *arguments],
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
        cwd=ROOT,
    )


@dataclass(frozen=True)
class Found:
    """What the two processes found."""

    first: dict[str, Any]
    second: dict[str, Any]


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, simulated_ptbxl: Path, language_model: Path
) -> Found:
    out = tmp_path_factory.mktemp("processes")
    script = ROOT / "tests" / "trainer" / "joined_process.py"
    done = torchrun(str(script), str(simulated_ptbxl), str(language_model), str(out))
    assert done.returncode == 0, done.stderr
    return Found(*(torch.load(out / f"{n}.pt", weights_only=True) for n in range(2)))


@pytest.fixture(scope="module")
def recordings(simulated_ptbxl: Path, language_model: Path) -> LabelledRecordings:
    return joined_process.load(simulated_ptbxl, joined_process.config_for(language_model))


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", joined_process.OBJECTIVES)
def test_a_step_of_two_processes_is_that_of_one_on_the_whole_batch(
    found: Found, recordings: LabelledRecordings, language_model: Path, name: str
) -> None:
    config = joined_process.config_for(language_model)
    options = joined_process.OBJECTIVES[name]
    alone = joined_process.two_steps(recordings, replace(config, **options))
    together = found.first[name]
    assert together["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert together["gradients"].keys() == alone["gradients"].keys()
    size = max(gradient.abs().max().item() for gradient in alone["gradients"].values())
    for key, gradient in alone["gradients"].items():
        difference = (together["gradients"][key] - gradient).abs().max().item()
        assert difference < 1e-5 * size, key
    for key in ("stem.1.running_mean", "stem.1.running_var", "stem.1.num_batches_tracked"):
        whole = alone["weights"][f"encoder.{key}"]
        torch.testing.assert_close(together["weights"][f"encoder.{key}"], whole, rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", joined_process.OBJECTIVES)
def test_the_processes_stay_the_same_to_the_bit(found: Found, name: str) -> None:
    first, second = found.first[name], found.second[name]
    assert first["losses"] == second["losses"]
    for part in ("gradients", "weights", "averaged"):
        assert equal(first[part], second[part])


def test_a_run_that_was_cut_off_goes_on_exactly_in_both(found: Found) -> None:
    for one in (found.first, found.second):
        assert one["resumed"]["losses"] == one["whole"]["losses"]
        assert one["resumed"]["aucs"] == one["whole"]["aucs"]
        assert equal(one["resumed"]["weights"], one["whole"]["weights"])
    assert equal(found.first["whole"]["weights"], found.second["whole"]["weights"])
    assert found.first["whole"]["aucs"] == found.second["whole"]["aucs"]
    assert all(0 <= auc <= 1 for auc in found.first["whole"]["aucs"])


def test_each_process_augments_in_its_own_way_and_sees_its_own_part(found: Found) -> None:
    assert not torch.equal(found.first["views"], found.second["views"])
    assert found.first["part"].tolist() == [0, 1, 2]
    assert found.second["part"].tolist() == [3, 4, 5]
    for one in (found.first, found.second):
        assert one["gathered"].tolist() == [[0.0] * 3] * 2 + [[1.0] * 3] * 2


def test_torchrun_starts_the_command_and_one_bundle_comes_of_it(
    simulated_ptbxl: Path, language_model: Path, tmp_path: Path
) -> None:
    arguments = (
        *("-m", "ecgscreen", "train", str(simulated_ptbxl), "--out", str(tmp_path / "bundle")),
        *("--train-folds", "1", "--validation-folds", "2", "--epochs", "1", "--batch-size", "36"),
        *("--text-encoder", str(language_model), "--device", "cpu"),
    )
    done = torchrun(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("epoch 1 of 1: loss") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text(encoding="utf-8"))
    encoder = {"name": str(language_model), "pooling": "mean"}
    assert manifest["text_encoder"].items() >= encoder.items()
    run = json.loads((tmp_path / "bundle" / "train.json").read_text(encoding="utf-8"))
    assert len(run["history"]) == 1


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed.check_batch_size(7)
    monkeypatch.setattr(distributed, "size", lambda: 2)
    with pytest.raises(UsageError, match="batches of 7 recordings for 2 processes"):
        distributed.check_batch_size(7)


def test_more_processes_than_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed.own_device("cuda") == torch.device("cuda")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.own_device("auto") == torch.device("cuda", 1)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError, match="its 2 CUDA devices"):
        distributed.own_device("auto")
