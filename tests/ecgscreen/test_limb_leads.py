from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.assessment import assess
from ecgscreen.limb_leads import limb_lead_note, with_derived_leads
from ecgscreen.quality import Grade
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording
from ecgscreen.simulate import simulate
from ecgscreen.simulate.settings import Rhythm, SimulationSettings

ALL = np.ones(12, np.bool_)
CONTRADICTION = "limb leads contradict each other (Einthoven, Goldberger): "


@pytest.fixture(scope="module")
def whole() -> Recording:
    return simulate(SimulationSettings(Rhythm.SINUS, seed=4)).recording


def only(recording: Recording, *names: str) -> Recording:
    rows = [recording.lead_names.index(name) for name in names]
    return replace(recording, signal=recording.signal[rows], lead_names=names)


def usable(*names: str) -> NDArray[np.bool_]:
    return np.array([name in names for name in LEADS])


def test_what_is_missing_is_derived(whole: Recording) -> None:
    two = only(whole, "V1", "II", "I")
    completed, quality = assess(two)
    assert completed.lead_names == ("V1", "II", "I", "III", "aVR", "aVL", "aVF")
    assert completed.notes == ("derived from I and II: III, aVR, aVL, aVF",)
    assert completed.signal.dtype == np.float32
    assert np.array_equal(completed.signal[:3], two.signal)
    for name, row in zip(completed.lead_names, completed.signal, strict=True):
        assert np.abs(row - whole.signal[LEADS.index(name)]).max() < 1e-5
    assert quality.grade is Grade.USABLE
    assert quality.usable.tolist() == usable("I", "II", "III", "aVR", "aVL", "aVF", "V1").tolist()


def test_only_what_is_missing_is_derived(whole: Recording) -> None:
    completed = with_derived_leads(only(whole, "I", "II", "aVF"), ALL)
    assert completed.lead_names == ("I", "II", "aVF", "III", "aVR", "aVL")
    assert with_derived_leads(whole, ALL) is whole


def test_nothing_is_derived_from_what_does_not_bear_it(whole: Recording) -> None:
    two = only(whole, "I", "II")
    unscaled = replace(two, amplitude_known=False)
    assert with_derived_leads(unscaled, ALL) is unscaled
    assert with_derived_leads(two, usable("II")) is two
    alone = only(whole, "II", "V1")
    assert with_derived_leads(alone, usable("II", "V1")) is alone
    off = replace(two, signal=two.signal * np.array([[0], [1]], np.float32))
    completed, quality = assess(off)
    assert completed.lead_names == ("I", "II")
    assert quality.usable.tolist() == usable("II").tolist()


def test_leads_that_agree_have_no_note(whole: Recording) -> None:
    assert limb_lead_note(whole, ALL) is None
    assert assess(whole)[0] is whole
    assert limb_lead_note(only(whole, "I", "II"), usable("I", "II")) is None


def changed(recording: Recording, **factors: float) -> Recording:
    signal = recording.signal.copy()
    for name, factor in factors.items():
        signal[LEADS.index(name)] *= np.float32(factor)
    return replace(recording, signal=signal)


@pytest.mark.parametrize("name", ["I", "II", "III", "aVR", "aVL", "aVF"])
def test_an_inverted_or_wrongly_scaled_lead_is_named(whole: Recording, name: str) -> None:
    note = limb_lead_note(changed(whole, **{name: -1}), ALL)
    assert note is not None
    assert f"{name} looks inverted" in note
    note = limb_lead_note(changed(whole, **{name: 10}), ALL)
    assert note == f"{CONTRADICTION}{name} looks 10 times as large as it is"


@pytest.mark.parametrize("pair", [("I", "II"), ("aVR", "aVL"), ("III", "aVL"), ("II", "aVR")])
def test_exchanged_names_are_told(whole: Recording, pair: tuple[str, str]) -> None:
    names = [{pair[0]: pair[1], pair[1]: pair[0]}.get(name, name) for name in LEADS]
    recording, quality = assess(replace(whole, lead_names=tuple(names)))
    assert recording.notes == (f"{CONTRADICTION}{pair[0]} and {pair[1]} look exchanged",)
    assert quality.grade is Grade.GOOD


def test_what_cannot_be_explained_is_still_told(whole: Recording) -> None:
    note = limb_lead_note(changed(whole, III=3, aVR=0.3), ALL)
    assert note == f"{CONTRADICTION}III, aVR not as I and II make it"
    # A lead that was found faulty is no witness.
    assert limb_lead_note(changed(whole, III=3), usable("I", "II", "aVR", "aVL", "aVF")) is None


def test_real_recordings_agree(data_dir: Path) -> None:
    headers = sorted((data_dir / "ptb-xl").rglob("*.hea"))[::40]
    headers += sorted((data_dir / "cinc2021").glob("*.hea"))[::3]
    for path in headers:
        recording = read_recording(path)
        assert isinstance(recording, Recording)
        assert not [note for note in assess(recording)[0].notes if "contradict" in note]
