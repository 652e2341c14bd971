"""One recording in every format gives one signal, and nothing of the person it is of."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ecgscreen.discover import Discovery
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, Recording, SkippedRecording
from ecgscreen.simulate import simulate
from ecgscreen.simulate.settings import Rhythm, SimulationSettings
from tests.ecgscreen.formats.planted import PLANTED
from tests.ecgscreen.formats.table import FORMATS, Written


@dataclass(frozen=True)
class Case:
    """A recording, and the path at which it lies in one format."""

    simulated: Recording
    path: Path
    form: Written


@pytest.fixture(scope="module", params=FORMATS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    form = FORMATS[request.param]
    settings = SimulationSettings(Rhythm.SINUS, sampling_rate=form.sampling_rate, seed=7)
    simulated = simulate(settings).recording
    return Case(simulated, form.write(simulated, tmp_path_factory.mktemp("written")), form)


def read(path: Path) -> Recording:
    recording = read_recording(path)
    assert isinstance(recording, Recording), recording
    return recording


def file_of(path: Path) -> Path:
    """The file that holds a recording: itself, or the one whose member it is."""
    return path if path.is_file() else path.parent


def test_the_same_signal_whatever_the_format(case: Case) -> None:
    recording, simulated = read(case.path), case.simulated
    assert recording.path == case.path
    assert sorted(recording.lead_names) == sorted(LEADS)
    assert recording.sampling_rate == simulated.sampling_rate
    assert recording.amplitude_known
    assert recording.signal.dtype == np.float32
    assert recording.signal.flags.c_contiguous
    assert recording.signal.shape == simulated.signal.shape
    rows = [recording.lead_names.index(name) for name in simulated.lead_names]
    # Half a step of rounding, and what float32 makes of a few millivolts.
    worst = np.abs(recording.signal[rows] - simulated.signal).max()
    assert worst <= 0.5 * case.form.step_mv + 1e-6
    said = [note for note in recording.notes if "names no unit: taken as mV" in note]
    assert bool(said) is not case.form.states_unit


def test_the_time_of_acquisition_and_no_other(case: Case) -> None:
    assert read(case.path).acquired == case.form.acquired


def test_a_walk_finds_it_once(case: Case) -> None:
    path = case.path
    found = list(Discovery([file_of(path).parent]))
    assert [one.path for one in found] == [path]
    assert found[0].problem is None
    (alone,) = Discovery([file_of(path)])
    assert (alone.path, alone.problem) == (path, None)


def test_the_name_of_the_file_does_not_matter(case: Case, tmp_path: Path) -> None:
    path = case.path
    if {".hea", ".csv", ".npy"} & {path.suffix}:
        pytest.skip("told by its name and what lies beside it")
    renamed = tmp_path / "EXPORT_0001"
    shutil.copy(file_of(path), renamed)
    (found,) = Discovery([tmp_path])
    assert np.array_equal(read(found.path).signal, read(path).signal)


def test_nothing_of_the_person_leaves_the_reader(case: Case) -> None:
    recording = read(case.path)
    shown = repr((recording.lead_names, recording.notes, recording.sampling_rate))
    for word in (*PLANTED.split("^"), "1901"):
        assert word.casefold() not in shown.casefold()


def test_a_file_that_ends_early_is_refused(case: Case, tmp_path: Path) -> None:
    path = case.path
    for file in file_of(path).parent.iterdir():
        shutil.copy(file, tmp_path)
    copy = tmp_path / path.relative_to(file_of(path).parent)
    largest = file_of(copy) if path.suffix != ".hea" else copy.with_suffix(".dat")
    content = largest.read_bytes()
    for n_bytes in (len(content) * 9 // 10, len(content) // 3, 300, 0):
        largest.write_bytes(content[:n_bytes])
        skipped = read_recording(copy)
        assert isinstance(skipped, SkippedRecording), n_bytes
        assert skipped.detail.isprintable()
        assert "Quorn" not in skipped.detail
