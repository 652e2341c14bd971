from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.arm_reversal import ARM_REVERSAL, _quantiles, arm_reversal_note
from ecgscreen.assessment import assess
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording

ALL = np.ones(12, np.bool_)


def healthy() -> Recording:
    """A beat that points to the left and down."""
    times = np.arange(5000) / 500
    phase = times % 0.8
    beat = np.exp(-(((phase - 0.3) / 0.015) ** 2)) + 0.2 * np.exp(-(((phase - 0.55) / 0.05) ** 2))
    first, second = 0.8 * beat, 1.0 * beat
    limbs = [first, second, second - first, -(first + second) / 2]
    limbs += [first - second / 2, second - first / 2]
    chest = [weight * beat for weight in (-0.8, -0.5, 0.3, 0.9, 1.1, 0.9)]
    signal = np.stack(limbs + chest).astype(np.float32)
    signal += np.random.default_rng(0).normal(0, 0.005, signal.shape).astype(np.float32)
    return Recording(Path("x.hea"), signal, 500.0, LEADS)


def arms_exchanged(recording: Recording) -> Recording:
    rows = dict(zip(recording.lead_names, recording.signal, strict=True))
    rows["I"] = -rows["I"]
    rows["II"], rows["III"] = rows["III"], rows["II"]
    rows["aVR"], rows["aVL"] = rows["aVL"], rows["aVR"]
    signal: NDArray[np.float32] = np.stack(list(rows.values()))
    return replace(recording, signal=signal)


def test_exchanged_arms_are_suspected_and_noted() -> None:
    assert arm_reversal_note(healthy(), ALL) is None
    assert assess(healthy())[0].notes == ()
    exchanged = arms_exchanged(healthy())
    assert arm_reversal_note(exchanged, ALL) == ARM_REVERSAL
    noted, quality = assess(exchanged)
    assert noted.notes == (ARM_REVERSAL,)
    assert quality.usable.all()


def test_dextrocardia_and_missing_leads_are_not_suspected() -> None:
    exchanged = arms_exchanged(healthy())
    exchanged.signal[LEADS.index("V6")] *= -1
    assert arm_reversal_note(exchanged, ALL) is None
    few = ALL.copy()
    few[LEADS.index("V6")] = False
    assert arm_reversal_note(arms_exchanged(healthy()), few) is None


@pytest.mark.parametrize("folder", ["ludb", "ptb-xl"])
def test_real_recordings(data_dir: Path, folder: str) -> None:
    """Most exchanges are seen, and next to none where there is none."""
    found = [read_recording(path) for path in sorted((data_dir / folder).rglob("*.hea"))[::15]]
    recordings = [one for one in found if isinstance(one, Recording)]
    wrongly = [arm_reversal_note(one, ALL) is not None for one in recordings]
    rightly = [arm_reversal_note(arms_exchanged(one), ALL) is not None for one in recordings]
    assert np.mean(wrongly) <= 0.02
    assert np.mean(rightly) >= 0.4


@pytest.mark.parametrize("n", [1, 2, 3, 999, 1000, 5000])
def test_quantiles_are_those_of_numpy(n: int) -> None:
    values = np.random.default_rng(n).normal(0, 1, n).astype(np.float32)
    shares = (0.005, 0.5, 0.995)
    assert _quantiles(values, shares) == pytest.approx(np.quantile(values, shares), abs=1e-6)
