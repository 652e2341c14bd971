"""Children are outside the population of the model: noted, without their age."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgscreen.readers import read_recording
from ecgscreen.readers.age import CHILD_NOTE, age_notes, dicom_age, header_age
from ecgscreen.recording import Recording
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate, write_wfdb
from tests.ecgscreen.formats.dicom import dataset
from tests.ecgscreen.formats.xml import write_muse

SIMULATED = simulate(SimulationSettings(Rhythm.SINUS, seed=3))


def notes_of(path: Path) -> tuple[str, ...]:
    recording = read_recording(path)
    assert isinstance(recording, Recording), recording
    return recording.notes


@pytest.mark.parametrize(
    ("comment", "is_child"),
    [
        (b"# Age: 17", True),
        (b"#Age: 0", True),
        (b"#<age>: 7  <sex>: F  <diagnoses> none", True),
        (b"# AGE = 8 months\r", True),
        (b"# Age: 18", False),
        (b"# Age: 216 months", False),
        (b"# Age: 300", False),  # PTB-XL: over 89
        (b"# Age: NaN", False),
        (b"# Age: -1", False),
        (b"# Age: 12 M", False),  # months, or a man
        (b"# Dosage: 5", False),
        (b"# of age: 5", False),
    ],
)
def test_a_header_says_who_is_a_child(tmp_path: Path, comment: bytes, is_child: bool) -> None:
    header = write_wfdb(SIMULATED.recording, tmp_path, "a")
    header.write_bytes(header.read_bytes() + comment + b"\n# Sex: F\n")
    assert notes_of(header) == ((CHILD_NOTE,) if is_child else ())


def test_a_device_says_who_is_a_child(tmp_path: Path) -> None:
    muse = write_muse(SIMULATED.recording, tmp_path)
    text = muse.read_text("latin-1")
    for age, unit, is_child in (("12", "YEARS", True), ("40", "YEARS", False)):
        said = f"<PatientAge>{age}</PatientAge><AgeUnits>{unit}</AgeUnits></PatientDemographics>"
        muse.write_text(text.replace("</PatientDemographics>", said), "latin-1")
        assert (CHILD_NOTE in notes_of(muse)) is is_child


def test_dicom_says_who_is_a_child(tmp_path: Path) -> None:
    for age, is_child in (("011M", True), ("017Y", True), ("063Y", False), ("", False)):
        written = dataset(SIMULATED.recording)
        written.PatientAge = age
        path = tmp_path / "a.dcm"
        written.save_as(path, enforce_file_format=True)
        assert notes_of(path) == ((CHILD_NOTE,) if is_child else ())


def test_years() -> None:
    assert header_age(b"a 1 500\n") is None
    assert header_age(b"# Age: 63\n") == 63
    assert dicom_age("026W") == 0.5
    assert dicom_age("63") is None
    assert age_notes(None) == age_notes(18) == age_notes(300) == ()
    assert "17" not in str(age_notes(17.0))


def test_real_recordings_of_adults_have_no_such_note(data_dir: Path, tmp_path: Path) -> None:
    for folder in ("ludb/data", "cinc2021"):
        headers = sorted((data_dir / folder).rglob("*.hea"))[:20]
        ages = [header_age(path.read_bytes()) for path in headers]
        assert any(age is not None for age in ages), folder
        for path, age in zip(headers, ages, strict=True):
            assert (CHILD_NOTE in notes_of(path)) is (age is not None and age < 18)
