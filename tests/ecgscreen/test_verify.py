"""An engine is held against the bundle and a reference, and found out when it differs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.cli import app
from ecgscreen.commands.compile import NOTHING
from ecgscreen.errors import EngineError, ExitCode
from ecgscreen.verify import compare_scores, open_engine, simulated_windows, verify_engine
from engines.base import Engine, EngineInfo, EngineUnavailableError
from engines.cuda_driver import CudaDriver
from engines.parity import TOLERANCES
from engines.select import ENGINES


@pytest.fixture(scope="module")
def bundle(bundle_dir: Path) -> Bundle:
    return load_bundle(bundle_dir)


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Engine:
    return open_engine(bundle, "openvino", "f32")


@dataclass
class Disturbed:
    """An engine whose results are off by so much."""

    engine: Engine
    info: EngineInfo
    noise: float

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        embeddings = self.engine.embed(windows, lead_mask)
        noise = np.random.default_rng(2).normal(size=embeddings.shape, scale=self.noise)
        return (embeddings + noise).astype(np.float32)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_good_engine_passes(bundle: Bundle, engine: Engine) -> None:
    check, simulated = verify_engine(bundle, engine, open_engine(bundle, "pytorch", "f32"))
    assert check.holds
    assert simulated.holds
    assert simulated.parity.n == 96
    assert simulated.parity.smallest_cosine > 1 - 1e-6
    assert simulated.n_ranks == 96 * len(bundle.concepts)
    assert simulated.n_flags == 96 * len(bundle.operating_points)
    text = "\n".join((*check.lines(), *simulated.lines()))
    assert "against the bundle's check batch" in text
    assert "against pytorch f32 on CPU, 96 simulated recordings: passed" in text


@pytest.mark.parametrize(("precision", "allowed"), [("f32", 1e-4), ("f16", 1e-2)])
def test_an_engine_that_differs_fails(
    bundle: Bundle, engine: Engine, precision: str, allowed: float
) -> None:
    info = replace(engine.info, precision=precision)
    for factor, holds in ((0.03, True), (30.0, False)):
        disturbed = Disturbed(engine, info, allowed * factor)
        check, simulated = verify_engine(bundle, disturbed, engine)
        assert check.tolerance == allowed
        assert (check.holds, simulated.holds) == (holds, holds)


def test_ranks_and_flags_that_change_are_counted(bundle: Bundle) -> None:
    direction = next(iter(bundle.concepts.values()))
    other = -direction
    n_flags = len(bundle.operating_points)
    assert n_flags
    rows = np.stack([direction, other])
    same = compare_scores(bundle, "f32", "itself", rows, rows)
    assert (same.n_rank_changes, same.furthest_rank, same.n_flag_changes) == (0, 0, 0)
    swapped = compare_scores(bundle, "f32", "the other", rows[::-1], rows)
    assert swapped.furthest_rank == 1
    assert swapped.n_rank_changes >= 2
    assert swapped.n_flag_changes > 0
    assert swapped.n_flags == 2 * n_flags
    assert swapped.largest_score_difference == pytest.approx(2.0, abs=1e-3)
    assert not swapped.holds


def test_a_result_that_is_not_finite_fails(bundle: Bundle) -> None:
    rows = np.stack(list(bundle.concepts.values())[:3])
    spoilt = rows.copy()
    spoilt[1] = np.nan
    assert not compare_scores(bundle, "bf16", "rows", spoilt, rows).holds


def test_simulated_windows_are_of_many_rhythms_and_some_lack_leads(bundle: Bundle) -> None:
    windows, lead_mask = simulated_windows(bundle.preprocessing, 8)
    assert windows.shape == (8, 12, bundle.preprocessing.n_samples)
    assert lead_mask.sum(axis=1).tolist() == [12, 12, 12, 6, 12, 12, 12, 6]
    assert len({row.tobytes() for row in windows}) == 8


def test_the_command_says_what_ran_and_passes(bundle_dir: Path) -> None:
    result = run("verify", "--bundle", bundle_dir, "--precision", "f32")
    assert result.exit_code == ExitCode.OK
    assert result.output.startswith("engine openvino 20")
    assert result.output.count("passed") == 2
    assert "FAILED" not in result.output


def test_the_command_measures_on_labelled_recordings(
    bundle_dir: Path, simulated_ptbxl: Path
) -> None:
    result = run("verify", "--bundle", bundle_dir, "--data", simulated_ptbxl, "--folds", "2")
    assert result.exit_code in {ExitCode.OK, ExitCode.CHECK_FAILED}
    assert "macro AUC of rhythm moves by " in result.output
    assert (result.exit_code == ExitCode.OK) == ("FAILED" not in result.output)


def test_a_check_that_fails_is_5(bundle_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOLERANCES, "f32", 0.0)
    result = run("verify", "--bundle", bundle_dir, "--precision", "f32")
    assert result.exit_code == ExitCode.CHECK_FAILED
    assert "FAILED" in result.output


def no_device() -> bool:
    try:
        CudaDriver()
    except EngineUnavailableError:
        return True
    return False


@pytest.mark.skipif(not no_device(), reason="this machine has an NVIDIA device")
@pytest.mark.parametrize("command", ["compile", "verify"])
def test_without_a_device_nothing_takes_its_place(
    command: str, bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGSCREEN_CACHE", str(tmp_path / "cache"))
    result = run(command, "--engine", "tensorrt", "--bundle", bundle_dir)
    assert isinstance(result.exception, EngineError)
    assert result.exception.exit_code == ExitCode.FAILED
    assert "NVIDIA driver" in result.exception.message
    assert "--engine openvino" in result.exception.advice
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "tensorrt"])
def test_other_engines_have_nothing_to_compile(engine: str) -> None:
    result = run("compile", "--engine", engine)
    assert (result.exit_code, result.output) == (0, f"nothing to compile: {NOTHING[engine]}\n")
