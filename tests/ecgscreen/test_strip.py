from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ecgscreen.recording import LEADS, Recording
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.strip import PAPER_DEFINITION, cut_segment, draw_png, draw_strip, png, terminal_strip
from ecgscreen.strip.knots import TOLERANCE
from ecgscreen.strip.layout import LARGEST_HEIGHT, MM, Layout, lay_out
from ecgscreen.strip.paths import short_paths
from ecgscreen.strip.png import PIXELS_A_MM
from ecgscreen.strip.words import STRIP_WORDS

SVG = "{http://www.w3.org/2000/svg}"
RATE = 500.0
SIMULATED = simulate(SimulationSettings(Rhythm.PVC, seed=3)).recording


def recording(
    signal: NDArray[np.floating], leads: tuple[str, ...] = LEADS, *, known: bool = True
) -> Recording:
    return Recording(Path("a.hea"), signal.astype(np.float32), RATE, leads, known)


def points(path: str) -> list[NDArray[np.float64]]:
    """The subpaths of a path as (n, 2) arrays."""
    found = []
    for part in path.split("M")[1:]:
        move, _, steps = part.partition("l")
        numbers = [[int(n) for n in re.findall(r"-?\d+", text)] for text in (move, steps)]
        steps_xy = np.array(numbers[1]).reshape(-1, 2)
        found.append(np.cumsum(np.vstack([numbers[0], steps_xy]), axis=0).astype(np.float64))
    return found


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_short_path_stays_within_the_tolerance() -> None:
    layout = lay_out(cut_segment(SIMULATED))
    curves = [(trace.x, trace.y) for trace in layout.traces if trace.y is not None]
    n_points = 0
    for (x, y), path in zip(curves, short_paths(curves), strict=True):
        (drawn,) = points(path)
        n_points += len(drawn)
        # Rounding to whole units moves a point by half a unit at most, up or to the side; to
        # the side that shows on a slope.
        slope = np.abs(np.gradient(y, x)).max()
        deviation = np.abs(np.interp(x, drawn[:, 0], drawn[:, 1]) - y)
        assert deviation.max() <= TOLERANCE + 0.5 + 0.5 * slope
        assert np.median(deviation) <= TOLERANCE
    assert n_points < sum(len(x) for x, _ in curves) / 2


def test_a_gap_parts_a_path_and_nothing_gives_none() -> None:
    x = np.arange(8.0)
    y = np.array([np.nan, 0, 5, np.nan, np.nan, 7, np.nan, np.nan])
    first, second = short_paths([(x, y), (x, np.full(8, np.nan))])
    assert second == ""
    assert [part.tolist() for part in points(first)] == [[[1, 0], [2, 5]], [[5, 7], [5, 7]]]


@pytest.mark.parametrize("height", [511.0, 512.0, 40_000.0])
def test_a_path_goes_where_the_samples_are_however_steep(height: float) -> None:
    x, y = np.arange(4.0), np.array([0, height, 0, height])
    (path,) = short_paths([(x, y)])
    assert path == f"M0 0l1 {height:.0f} 1-{height:.0f} 1 {height:.0f}"
    (drawn,) = points(path)
    assert drawn.tolist() == np.stack([x, y], axis=1).tolist()


def test_a_millimetre_is_a_millimetre() -> None:
    """A rectangle of 1 mV in V1 from 6 s to 7 s: 10 mm high, 25 mm wide, in V1's column."""
    signal = np.zeros((12, 5000))
    signal[LEADS.index("V1"), 3000:3500] = 1.0
    layout = lay_out(cut_segment(recording(signal)))
    trace = next(each for each in layout.traces if each.lead == "V1")
    assert trace.y is not None
    assert layout.gain == 10
    high = trace.x[trace.y < trace.baseline]
    assert np.ptp(trace.y) == pytest.approx(10 * MM)
    assert np.ptp(high) == pytest.approx(25 * MM * 499 / 500)
    assert high[0] == pytest.approx((15 + 25 * 6) * MM)
    assert (trace.left, trace.right) == ((15 + 25 * 5) * MM, (15 + 25 * 7.5) * MM)
    assert [each.lead for each in layout.traces[:4]] == ["I", "aVR", "V1", "V4"]
    assert layout.traces[-1].lead == "II"


def reach(layout: Layout) -> list[tuple[float, float, float, float]]:
    """Left, right, top and bottom of each trace."""
    return [
        (trace.left, trace.right, float(np.nanmin(trace.y)), float(np.nanmax(trace.y)))
        for trace in layout.traces
        if trace.y is not None
    ]


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.0, 4.0, 40.0])
def test_no_trace_reaches_into_another_or_over_the_edge(factor: float) -> None:
    layout = lay_out(cut_segment(replace(SIMULATED, signal=SIMULATED.signal * np.float32(factor))))
    boxes = reach(layout)
    for left, right, top, bottom in boxes:
        assert 0 < left < right < layout.width
        assert 0 < top < bottom < layout.height
    for number, (left, right, _, bottom) in enumerate(boxes):
        below = [b for b in boxes[number + 1 :] if b[0] < right - 1 and b[1] > left + 1]
        for other in below:
            part = layout.traces[boxes.index(other)]
            assert part.y is not None
            inside = part.y[(part.x >= left) & (part.x < right)]
            assert inside.min() > bottom
    assert layout.height <= LARGEST_HEIGHT
    assert layout.cut_off == (factor == 40.0)
    assert layout.gain == {0.3: 10, 1.0: 10, 2.0: 10, 4.0: 5, 40.0: 2.5}[factor]


def test_what_is_printed_is_how_it_is_drawn() -> None:
    segment = cut_segment(SIMULATED)
    shown = texts(draw_strip(segment, "ward/1.hea"))
    assert {"ward/1.hea", *LEADS} <= set(shown)
    assert "25 mm/s · 10 mm/mV · no filter · 500 Hz" in shown
    assert "0 to 10 s of 10 s" in shown
    tall = cut_segment(replace(SIMULATED, signal=SIMULATED.signal * np.float32(40)))
    assert "25 mm/s · 2.5 mm/mV · no filter · 500 Hz · peaks cut off" in texts(draw_strip(tall, ""))
    assert "25 mm/s · 2,5 mm/mV · kein Filter · 500 Hz · Spitzen abgeschnitten" in texts(
        draw_strip(tall, "", "de")
    )


def test_an_unknown_amplitude_has_neither_scale_nor_pulse() -> None:
    segment = cut_segment(replace(SIMULATED, amplitude_known=False))
    svg = draw_strip(segment, "a")
    assert "mm/mV" not in svg
    assert "25 mm/s · amplitude unknown: heights mean nothing · no filter · 500 Hz" in texts(svg)
    n_paths = len(re.findall("<path d=", svg))
    assert len(re.findall("<path d=", draw_strip(cut_segment(SIMULATED), "a"))) == n_paths + 4


def test_missing_leads_are_blank_with_a_word() -> None:
    rows = [LEADS.index(lead) for lead in ("I", "V2")]
    segment = cut_segment(recording(SIMULATED.signal[rows], ("I", "V2")))
    svg = draw_strip(segment, "a")
    assert texts(svg).count("not recorded") == 10
    drawn = [node.get("data-lead") for node in ET.fromstring(svg).iter(f"{SVG}path")]
    assert [lead for lead in drawn if lead] == ["I", "V2", "I"], "I is the rhythm strip too"


def test_samples_that_are_none_are_not_drawn() -> None:
    signal = SIMULATED.signal.copy()
    signal[2] = np.nan
    signal[3, 1500:2000] = np.nan
    signal[6] = np.inf
    svg = draw_strip(cut_segment(recording(signal)), "a")
    assert texts(svg).count("no valid sample") == 2
    (gap,) = (n for n in ET.fromstring(svg).iter(f"{SVG}path") if n.get("data-lead") == "aVR")
    assert len(points(gap.get("d", ""))) == 2


@pytest.mark.parametrize(
    "name", ["</text><script>alert(1)</script>", '"><x onload="y', "a\x00\x1b\u202e]]>&amp;\udcff"]
)
def test_any_name_is_text(name: str) -> None:
    svg = draw_strip(cut_segment(SIMULATED), name)
    tags = {node.tag.removeprefix(SVG) for node in ET.fromstring(svg).iter()}
    assert tags == {"svg", "defs", "pattern", "rect", "g", "path", "text"}
    assert "\u202e" not in svg


def test_the_paper_is_drawn_once_a_page() -> None:
    svg = draw_strip(cut_segment(SIMULATED), "a", with_paper_definition=False)
    assert PAPER_DEFINITION not in svg
    assert "url(#ecg-paper)" in svg


def test_a_segment_lies_inside_the_recording_and_on_the_line() -> None:
    signal = np.arange(12.0 * 10_000).reshape(12, 10_000)
    long = recording(signal)
    segment = cut_segment(long, 16.0)
    assert (segment.start_s, segment.duration_s, segment.recording_s) == (10.0, 10.0, 20.0)
    assert cut_segment(long, -1.0).start_s == 0
    assert np.median(segment.leads["V6"]) == 0
    short = cut_segment(recording(signal[:, :3000]))
    assert short.n_samples == 3000
    assert lay_out(short).width < lay_out(segment).width
    with pytest.raises(ValueError, match="0 s of a recording of 20"):
        cut_segment(long, 0, 0)


@pytest.mark.parametrize("n_samples", [4999, 5000])
def test_a_lead_is_shifted_to_its_median(n_samples: int) -> None:
    signal = SIMULATED.signal[:, :n_samples].copy()
    leads = cut_segment(recording(signal)).leads
    for row, lead in enumerate(LEADS):
        assert np.array_equal(leads[lead], signal[row] - np.median(signal[row]))
    signal[3, 7:9] = np.nan, np.inf
    with_hole = cut_segment(recording(signal)).leads
    assert np.array_equal(with_hole["V1"], leads["V1"])
    assert np.flatnonzero(np.isnan(with_hole[LEADS[3]])).tolist() == [7, 8]


def dots(lines: list[str]) -> NDArray[np.bool_]:
    """Braille lines as dots, by the numbering of the dots in Unicode."""
    columns = max(map(len, lines))
    found = np.zeros((4 * len(lines), 2 * columns), np.bool_)
    order = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
    for row, line in enumerate(lines):
        for column, char in enumerate(line):
            for bit, (down, right) in enumerate(order):
                if ord(char) - 0x2800 >> bit & 1:
                    found[4 * row + down, 2 * column + right] = True
    return found


def test_the_terminal_shows_a_pulse_where_it_is() -> None:
    signal = np.zeros((1, 5000))
    signal[0, 2500:2600] = 2.0
    lines = terminal_strip(recording(signal, ("V1",)), 165)
    at = next(number for number, line in enumerate(lines) if line.startswith("V1"))
    trace = dots([line[5:].replace(" ", "\u2800") for line in lines[at : at + 5]])
    high = np.flatnonzero(trace[0])
    assert trace.shape[1] == 320
    assert 159 <= high[0] <= 161
    assert len(high) in {6, 7, 8}, "0.2 s at 32 dots a second"
    rows = np.flatnonzero(trace[:, 0])
    assert rows.tolist() == [16], "2 mV at 8 dots a mV"
    assert sum("not recorded" in line for line in lines) == 11
    assert lines[-1] == "0 to 10 s of 10 s · a line is 0.5 mV · no filter · 500 Hz"


@pytest.mark.parametrize("width", [0, 40, 80, 200])
def test_the_terminal_strip_keeps_to_the_width(width: int) -> None:
    lines = terminal_strip(SIMULATED, width)
    assert max(map(len, lines[:-1])) <= max(width, 30)
    unknown = terminal_strip(replace(SIMULATED, amplitude_known=False), width, language="de")
    assert STRIP_WORDS["de"].amplitude_unknown in unknown[-1]


def test_both_languages_have_the_same_values() -> None:
    def braces(language: str) -> list[list[str]]:
        words = vars(STRIP_WORDS[language]).values()
        return [sorted(re.findall(r"\{\w+\}", word)) for word in words]

    assert braces("en") == braces("de")


def test_real_recordings_fit_at_the_standard_gain(data_dir: Path) -> None:
    from ecgscreen.readers import read_recording

    gains = []
    for path in sorted((data_dir / "ptb-xl" / "records100").rglob("*.hea"))[:60]:
        found = read_recording(path)
        assert isinstance(found, Recording)
        layout = lay_out(cut_segment(found))
        gains.append(layout.gain)
        assert max(bottom for *_, bottom in reach(layout)) < layout.height
    assert gains.count(10) >= 50


def dark(content: bytes) -> NDArray[np.bool_]:
    """Where a PNG has ink: bool, shape (height, width)."""
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("L")) < 80


def test_a_png_has_its_traces_where_the_layout_has_them() -> None:
    signal = np.zeros((12, 5000))
    signal[LEADS.index("V1"), 3000:3500] = 1.0
    segment = cut_segment(recording(signal))
    layout = lay_out(segment)
    ink = dark(draw_png(segment, "a.hea"))
    mm = PIXELS_A_MM
    assert ink.shape == (layout.height * mm // MM, layout.width * mm // MM)
    baseline = layout.baselines[0] * mm // MM
    high, wide = baseline - 10 * mm, slice((15 + 151) * mm, (15 + 174) * mm)
    assert ink[high - 1 : high + 2, wide].any(axis=0).all(), "1 mV is 10 mm high, 1 s 25 mm wide"
    assert not ink[high + 3 : baseline - 3, wide].any(), "under it there is nothing"
    assert ink[high - 1 : high + 2, 6 * mm : 9 * mm].any(axis=0).all(), "the pulse"


def test_a_png_has_gaps_single_samples_and_no_pulse_without_a_unit() -> None:
    signal = np.full((12, 5000), np.nan)
    signal[1, 10] = 0.0
    mm = PIXELS_A_MM
    for known in (True, False):
        segment = cut_segment(recording(signal, known=known))
        ink = dark(draw_png(segment, "a.hea"))
        baseline = lay_out(segment).baselines[1] * mm // MM
        dot = slice(15 * mm + 2, 15 * mm + 6)
        assert ink[baseline - 1 : baseline + 2, dot].any()
        assert ink[baseline - 9 * mm, 4 * mm : 11 * mm].any() is np.bool_(known)


def test_a_png_without_the_fonts_of_matplotlib_is_written_in_ascii(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segment = cut_segment(recording(SIMULATED.signal[:2], LEADS[:2]))
    with_letters = draw_png(segment, "Übung.hea", "de")
    monkeypatch.setattr(png, "find_spec", lambda name: None)
    without = draw_png(segment, "Übung.hea", "de")
    assert dark(without)[: 5 * PIXELS_A_MM].any()
    assert without != with_letters
