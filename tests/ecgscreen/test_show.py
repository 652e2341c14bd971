"""``ecgscreen show``, as a shell sees it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from ecgscreen.cli import app
from ecgscreen.errors import EcgscreenError, ExitCode, UsageError
from ecgscreen.recording import LEADS, SkipReason
from ecgscreen.simulate import Artefacts, Rhythm, SimulationSettings, simulate, write_dataset
from ecgscreen.simulate.wfdb_writer import write_wfdb


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    write_dataset(folder, 1, seed=2)
    (path,) = folder.rglob("*.hea")
    return path


def show(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["show", *map(str, arguments)], env={"COLUMNS": "100"})


def test_in_the_terminal_every_lead_has_its_line(record: Path) -> None:
    result = show(record)
    assert result.exit_code == 0
    starts = [line.split()[0] for line in result.output.splitlines() if line[0].isascii()]
    assert [word for word in starts if word in LEADS] == list(LEADS)
    assert "no filter · 500 Hz" in result.output.splitlines()[-1]
    assert show(record.with_suffix("")).output == result.output, "a record without its suffix"


def test_it_says_what_quality_found_and_what_it_cannot(tmp_path: Path) -> None:
    settings = SimulationSettings(Rhythm.SINUS, 100.0, artefacts=Artefacts(stepped_leads=("V2",)))
    path = write_wfdb(simulate(settings).recording, tmp_path, "step")
    beyond = "Cannot be judged at this rate: mains hum, pacing spikes"
    assert show(path).output.splitlines()[-2] == f"Quality: good; noted: V2 steps · {beyond}"
    german = show(path, "--language", "de").output.splitlines()[-2]
    assert german.startswith("Qualität: gut; vermerkt: V2 Sprünge der Grundlinie · ")


def test_out_writes_an_svg_for_its_owner(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "strip.SVG"
    assert show(record, "--out", out, "--language", "de").output == ""
    assert out.stat().st_mode & 0o777 == 0o600
    drawing = ET.fromstring(out.read_bytes())
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert "kein Filter" in out.read_text(encoding="utf-8")


def test_out_writes_a_png_in_true_size(record: Path, tmp_path: Path) -> None:
    out = tmp_path / "strip.png"
    assert show(record, "--out", out).output == ""
    assert out.stat().st_mode & 0o777 == 0o600
    with Image.open(out) as picture:
        width_mm = picture.width / picture.info["dpi"][0] * 25.4
        assert width_mm == pytest.approx(15 + 250 + 5, rel=0.001)


def test_what_cannot_be_is_a_sentence(record: Path, tmp_path: Path) -> None:
    photo = show(record, "--out", tmp_path / "a.jpg")
    assert isinstance(photo.exception, UsageError)
    assert "ends in .svg or .png" in photo.exception.message
    record.with_name("short.hea").write_text("short 1 500 5000\nshort.dat 16 1000 16 0 0 0 0 I\n")
    for name, reason in (
        ("short.hea", SkipReason.NO_SIGNAL_FILE),
        ("none.hea", "there is no such file"),
        ("none", "there is no such file"),
    ):
        bad = show(record.with_name(name)).exception
        assert isinstance(bad, EcgscreenError)
        assert bad.exit_code is ExitCode.FAILED
        assert f"{name}: {reason}" in bad.message
    assert not list(tmp_path.iterdir())
