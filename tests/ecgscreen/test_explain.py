"""An explanation names the place where the place is known."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from bench.explain import NEAR_S, PVC_WORDS, is_found, premature_s, recordings
from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.cli import app
from ecgscreen.diagnoses import load_words
from ecgscreen.errors import EcgscreenError, LabelListError, UsageError
from ecgscreen.explain import (
    Explanation,
    draw_explanation,
    explain,
    explanation_lines,
    find_effects,
)
from ecgscreen.explain.effects import STEP_S, Effects
from ecgscreen.explain.occlusion import PARTS, bridged, parts_of_beats, sliding
from ecgscreen.explain.picture import AGAINST, FOR
from ecgscreen.prompts import embed_list
from ecgscreen.recording import LEADS, Recording
from ecgscreen.reports import DiagnosisRow
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate, write_wfdb
from ecgscreen.vocabulary import load_vocabulary
from engines.base import Engine, EngineInfo
from engines.select import load_engine

RATE = 100.0
SEED = 7000


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    if not (default_bundle() / "manifest.json").is_file():
        pytest.skip("no model ships with this checkout")
    return load_bundle(default_bundle())


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Engine:
    return load_engine("openvino", bundle.encoder_onnx, precision="f32")


def explained(recording: Recording, words: str, bundle: Bundle, engine: Engine) -> Explanation:
    prompts = embed_list(load_words(words), bundle, load_vocabulary())
    return explain(recording, prompts, bundle, engine)


def test_a_single_premature_complex_is_found_in_time(bundle: Bundle, engine: Engine) -> None:
    (simulated,) = recordings(Rhythm.PVC, SEED, 1)
    (time_s,) = premature_s(simulated)
    found = explained(simulated.recording, PVC_WORDS, bundle, engine)
    assert is_found(found.effects, time_s)
    assert found.top_seconds is not None
    begin, end = found.top_seconds
    assert begin - NEAR_S <= time_s <= end + NEAR_S
    assert end - begin < 2
    fall = found.effects.seconds.max()
    assert fall > 0.1
    apart = np.abs(found.effects.starts_s - time_s) > 1.5
    assert found.effects.seconds[apart].max() < fall / 3


def test_st_elevation_is_found_in_its_leads(bundle: Bundle, engine: Engine) -> None:
    (simulated,) = recordings(Rhythm.ST_ELEVATION_ANTERIOR, SEED, 1)
    words = "anterior ST elevation myocardial infarction"
    found = explained(simulated.recording, words, bundle, engine)
    lead, effect = found.top_leads["ST-T"][0]
    assert lead in {"V1", "V2", "V3", "V4"}
    assert effect > 0


@dataclass
class OnePlace:
    """An engine that sees one lead at one time: the place is known to the sample."""

    lead: int
    first: int
    end: int
    info: EngineInfo = field(default_factory=lambda: EngineInfo("known", "", "", "f32", 1))

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        seen = np.square(windows[:, self.lead, self.first : self.end]).mean(axis=1)
        angle = np.minimum(seen, 1.0) * lead_mask[:, self.lead]
        return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def test_what_is_not_looked_at_has_no_effect() -> None:
    settings = SimulationSettings(Rhythm.SINUS, sampling_rate=RATE, seed=1)
    window = simulate(settings).recording.signal
    window /= np.float32(window[8].std())
    mask = np.ones(12, np.bool_)
    mask[11] = False
    seen = OnePlace(8, 400, 460)
    effects = find_effects(window, mask, np.array([1.0, 0.0]), seen, RATE, 1000)
    assert effects.leads == LEADS[:11]
    assert effects.score > effects.flat == 0
    others = [row for row in range(11) if row != 8]
    assert np.abs(effects.cells[others]).max() == 0
    assert np.abs(effects.parts[others]).max() == 0
    far = (effects.starts_s < 3.3) | (effects.starts_s > 5.2)
    assert np.abs(effects.cells[8, far]).max() == 0
    assert np.abs(effects.seconds[far]).max() == 0
    assert effects.seconds.max() == effects.cells[8].max() > 0
    assert effects.lead_effects.argmax() == 8
    assert effects.parts[8] == pytest.approx(effects.parts_together)


def explanation_of(largest: float) -> tuple[Explanation, Recording]:
    """Effects from nothing up to the largest, of all leads, seconds and parts of the beat."""
    recording = simulate(SimulationSettings(Rhythm.SINUS, sampling_rate=RATE, seed=1)).recording
    starts = np.arange(50, dtype=np.float64) * np.float64(STEP_S)
    rising = np.linspace(0.0, largest, len(LEADS))
    effects = Effects(
        score=0.3,
        flat=0.1,
        leads=LEADS,
        starts_s=starts,
        seconds=np.linspace(-largest, largest, len(starts)),
        cells=np.linspace(-rising, rising, len(starts), axis=1),
        lead_effects=rising,
        parts=np.linspace(-rising, rising, len(PARTS), axis=1),
        parts_together=np.zeros(len(PARTS)),
        beats_s=starts[::5],
    )
    row = DiagnosisRow("AFIB", "AFIB", "info", "prompted (seen)")
    return Explanation(row, 50.0, 0.0, 10.0, 1, (), effects), recording


@pytest.mark.parametrize("largest", [0.0002, 0.0008, 0.003, 0.05, 0.4])
def test_what_prints_as_nothing_has_no_bar(largest: float) -> None:
    found, _ = explanation_of(largest)
    lines = "\n".join(explanation_lines(found, "ward.hea"))
    bars = re.findall(r"^  +(?:[\d.]+ s|\w+) +([+-]?\d\.\d{3})(?:  (#+|-+))?", lines, re.MULTILINE)
    assert len(bars) == 10 + len(LEADS)
    assert all(not bar for value, bar in bars if float(value) == 0)
    assert all(bar for value, bar in bars if abs(float(value)) > largest / 2)
    lengths = {float(value): len(bar) for value, bar in bars}
    assert max(lengths.values()) == (30 if largest > 0.03 else round(largest * 1000))


@pytest.mark.parametrize(("largest", "is_drawn"), [(0.0004, False), (0.003, True), (0.4, True)])
def test_what_prints_as_nothing_has_no_colour(largest: float, is_drawn: bool) -> None:
    drawing = draw_explanation(*explanation_of(largest), "ward.hea")
    assert (FOR in drawing, AGAINST in drawing) == (is_drawn, is_drawn)
    scale = "0.4" if largest == 0.4 else "0.02"
    assert f"deepest colour: {scale} in all leads, {scale} in one lead" in drawing


def test_a_cover_is_a_straight_line() -> None:
    rng = np.random.default_rng(3)
    window = rng.standard_normal((2, 50)).astype(np.float32)
    cover = np.zeros((2, 50), np.bool_)
    cover[0, 10:20] = True
    cover[1] = True
    found = bridged(window, cover)
    line = np.linspace(window[0, 9], window[0, 20], 12)[1:-1]
    assert found[0, 10:20] == pytest.approx(line)
    assert np.array_equal(found[0, :10], window[0, :10])
    assert not found[1].any()
    cover[:] = False
    cover[:, :5] = True
    assert (bridged(window, cover)[:, :5] == window[:, [5]]).all(), "level at an end"
    assert np.array_equal(bridged(window, ~cover)[:, 5:], np.repeat(window[:, [4]], 45, axis=1))


def test_covers_reach_both_ends_and_all_between() -> None:
    rows = sliding(995, 60, 20)
    assert rows.any(axis=0).all()
    assert (rows.sum(axis=1) <= 60).all()
    assert rows.sum(axis=0).max() == 3


@pytest.mark.parametrize("interval_s", [0.33, 0.6, 1.0, 2.0])
def test_parts_of_beats_do_not_overlap(interval_s: float) -> None:
    beats = np.arange(0.5, 9.5, interval_s) * RATE
    parts = parts_of_beats(beats.astype(np.intp), 1000, RATE)
    assert (parts.sum(axis=0) <= 1).all()
    assert parts[1, beats.astype(np.intp)].all(), "a beat is in its QRS complex"
    assert parts[0].any()
    assert parts[2].any()
    if interval_s >= 1:
        assert not parts.any(axis=0).all(), "between T and P nothing is covered"


def test_words_are_those_of_a_list() -> None:
    found = load_words("Vorhofflimmern | AFIB", ["sinus rhythm | SR", "atrial flutter"])
    (diagnosis,) = found.diagnoses
    assert diagnosis.concept_ids == ("AFIB",)
    assert diagnosis.counter_concept_ids == ("SR", "AFLT")
    assert found.name == "--diagnosis"
    for words, said in (("", "no diagnosis"), ("a\nb", "2 lines"), ("a | ", "column 4")):
        with pytest.raises(LabelListError, match=said):
            load_words(words)
    with pytest.raises(LabelListError, match="--against"):
        load_words("AFIB", [""])


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = SimulationSettings(Rhythm.PVC, sampling_rate=RATE, duration_s=15.0, seed=4)
    recording = simulate(settings).recording
    return write_wfdb(recording, tmp_path_factory.mktemp("records"), "ward")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, arguments)], env={"COLUMNS": "100"})


def test_the_command_prints_draws_and_writes(
    record: Path, bundle_dir: Path, tmp_path: Path
) -> None:
    out, figures = tmp_path / "a.svg", tmp_path / "a.json"
    options = ("--bundle", bundle_dir, "--diagnosis", "AFIB", "--start", 12, "--language", "de")
    result = run(record, *options, "--out", out, "--json", figures)
    assert result.exit_code == 0, result.output
    assert "ward.hea: AFIB" in result.output
    assert "seconds 5 to 15, one of 2 windows" in result.output
    ET.fromstring(out.read_bytes())
    assert "worauf das Modell schaut" in out.read_text(encoding="utf-8")
    document = json.loads(figures.read_text(encoding="utf-8"))
    assert document["window"] == {"start_s": 5.0, "length_s": 10.0, "of": 2}
    assert document["starts_s"][0] == 5.0
    assert np.shape(document["cells"]) == (12, len(document["seconds"]))
    assert np.shape(document["parts_by_lead"]) == (12, len(PARTS))
    assert set(document["top"]["leads_by_part"]) == set(PARTS)
    assert document["engine"]["precision"] == "f32"
    leads_only = run(record.with_suffix(""), *options, "--leads").output
    assert "aVR" in leads_only
    assert "seconds 5.0" not in leads_only


def test_what_cannot_be_is_a_sentence(record: Path, bundle_dir: Path, tmp_path: Path) -> None:
    options = ("--bundle", bundle_dir, "--diagnosis")
    for arguments, kind, said in (
        ((record, *options, "AFIB", "--out", tmp_path / "a.png"), UsageError, "only SVG"),
        ((record, *options, "XYZQ"), LabelListError, "--diagnosis, line 1"),
        ((record, *options, "AFIB", "--against", "AFIB"), LabelListError, "mean the same"),
        ((record, *options, "AFIB", "--start", 60), UsageError, "second 60 of a recording of 15"),
        ((tmp_path / "no.hea", *options, "AFIB"), EcgscreenError, "no.hea"),
    ):
        error = run(*arguments).exception
        assert isinstance(error, kind), (arguments, error)
        assert said in error.message
    flat = Recording(Path("flat.hea"), np.zeros((12, 1000), np.float32), RATE, LEADS)
    path = write_wfdb(flat, tmp_path, "flat")
    error = run(path, *options, "AFIB").exception
    assert isinstance(error, EcgscreenError)
    assert "no usable lead" in error.message
