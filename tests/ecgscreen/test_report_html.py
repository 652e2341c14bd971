"""The page of a run: what it shows of the recordings, and that it needs nothing else."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from ecgscreen.discover import Discovery
from ecgscreen.locate import open_shown
from ecgscreen.readers.pieces import Pieces, in_memory
from ecgscreen.recording import LEADS, SkippedRecording
from ecgscreen.reports.html import writer
from ecgscreen.results import printable
from ecgscreen.simulate import write_dataset
from tests.ecgscreen.html_reports import (
    HEART,
    HOSTILE,
    NIGHT,
    WORST_FIRST,
    Page,
    scored,
    write_page,
)

THREE_MINUTES = replace(HEART, signal=np.tile(HEART.signal, 18))


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("night"))


def test_the_page_needs_nothing_but_itself(night: Path) -> None:
    page = Page(night)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form", "use"} & set(page.tags)
    for _, name, value in page.attributes:
        if name in {"href", "src", "action", "xlink:href", "srcset"}:
            assert value.startswith("#")
        assert not name.startswith("on")
        assert name != "style", "the policy would not let it count"
    text = night.read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"' <]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text


def test_the_policy_names_script_and_style_by_their_hashes(night: Path) -> None:
    page = Page(night)
    (policy,) = (v for _, name, v in page.attributes if name == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for kind, content in (("script", page.texts["script"][1]), ("style", page.texts["style"][0])):
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_texts_of_a_run_are_texts(night: Path) -> None:
    page = Page(night)
    assert page.tags.count("script") == 2
    assert page.tags.count("b") == 6, "the six counts; a diagnosis is named <b>AF</b>"
    assert "owned" not in page.texts["title"][0]
    assert set(map(printable, HOSTILE)) <= set(page.names)
    assert "\u202e" not in night.read_text(encoding="utf-8")
    assert "\x1b" not in night.read_text(encoding="utf-8")


def test_worst_first_is_severity_then_percentile_and_then_what_nobody_calls_normal(
    night: Path,
) -> None:
    names = Page(night).names
    assert tuple(names[:3]) == WORST_FIRST
    assert names[-3:] == ["e/cut.hea", "a/nothing.hea", "b/normal.hea"]
    assert len(names) == len(NIGHT)


def test_every_recording_with_a_finding_has_its_strip_or_a_reason(night: Path) -> None:
    page = Page(night)
    assert page.content["meta"]["strips"] == page.tags.count("article") == 9
    assert page.tags.count("svg") == 1 + 8, "the paper, and all strips but the vanished one's"
    text = night.read_text(encoding="utf-8")
    assert "No strip: vanished during the run: it is &lt;not&gt; there." in text
    assert text.count("ecg-paper") == 1 + 8
    assert "Flagged as normal only, without a strip here: 1." in text
    assert text.index("g/long.hea</h3>") < text.index("f/block.hea</h3>")


def test_a_long_recording_shows_the_window_that_speaks_for_the_flag(night: Path) -> None:
    text = night.read_text(encoding="utf-8")
    assert "the ten seconds that speak most for “complete AV block”" in text
    assert "20 to 30 s of 120 s" in text


def test_figures_of_a_recording(night: Path) -> None:
    text = night.read_text(encoding="utf-8")
    article = text.split('<article id="r-')[3].split("</article>")[0]
    assert "d/af-high.hea" in article
    assert "&lt;b&gt;AF&lt;/b&gt; &amp; flutter" in article
    # Findings before what is normal; 0.8 and 0.55 as float16, percentiles among 0, 0, 0, 1.
    cells = re.findall(r'<td class="number">([^<]*)</td>', article)
    assert cells == ["0.800", "0.500", "75.0", "", "0.550", "0.500", "75.0", ""]
    assert "usable: V3 flat" in article
    probability = re.findall(r'<td class="number">([^<]*)</td>', text.split("f/block.hea</h3>")[1])
    assert probability[3] == "0.598", "1 / (1 + exp(-(8 * 0.5498 - 4)))"


def test_the_same_run_gives_the_same_bytes(night: Path, tmp_path: Path) -> None:
    assert write_page(tmp_path, reversed(NIGHT)).read_bytes() == night.read_bytes()
    other = write_page(tmp_path / "other", NIGHT[1:])
    assert Page(other).content["meta"]["run"] != Page(night).content["meta"]["run"]


def test_what_is_new_comes_first(tmp_path: Path) -> None:
    page = Page(write_page(tmp_path, NIGHT[:4], earlier=NIGHT[4:7]))
    assert page.names == [
        *("d/af-high.hea", "c/af-low.hea", "a/nothing.hea", "b/normal.hea"),
        *("g/long.hea", "f/block.hea", "e/cut.hea"),
    ]
    assert [row[16] for row in page.content["rows"]] == [1, 1, 1, 1, 0, 0, 0]
    assert page.content["meta"]["mixed"]
    articles = [name for name in page.texts["h3"] if name.endswith(".hea")]
    assert articles == ["d/af-high.hea", "c/af-low.hea", "g/long.hea", "f/block.hea"]
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "new in this run</li>" in text
    assert "What this run has added or read again comes first" in text


def test_of_a_first_run_nothing_is_called_new(night: Path) -> None:
    assert not Page(night).content["meta"]["mixed"]
    assert "new in this run</li>" not in night.read_text(encoding="utf-8")


def test_a_recording_of_hours_is_scored_by_its_worst_window(tmp_path: Path) -> None:
    quiet = [{0: 0.3, 1: 0.1}] * 13
    day = scored("day.hea", *quiet[:7], {0: 0.1, 1: 0.8}, *quiet[8:])
    day = replace(day, acquired="2024-03-01 08:15:00")
    path = write_page(tmp_path, [day], read=lambda _name: in_memory(THREE_MINUTES))
    (row,) = Page(path).content["rows"]
    # The finding is that of the one window; what is normal is as normal as the least normal one.
    assert row[11][:2] == [100, 800]
    assert (row[14], row[17]) == (70.0, "2024-03-01 08:15:00")
    text = path.read_text(encoding="utf-8")
    assert "0:01:10 after the beginning. The score is theirs." in text
    assert "70 to 80 s of 180 s" in text
    assert "0:02:10, 100 Hz" in text
    assert "2024-03-01 08:15:00" in text.split("<article")[1]
    with h5py.File(tmp_path / "report.h5") as report:
        assert report["worst_start_s"][0, :2].tolist() == [70, 70]
        assert report["scores"][0, 1] == report["windows/scores"][7, 1]
        assert report["records/acquired"].asstr()[0] == "2024-03-01 08:15:00"


def test_two_minutes_are_scored_together(tmp_path: Path) -> None:
    short = scored("short.hea", *[{1: 0.1}] * 11, {1: 0.9})
    path = write_page(tmp_path, [short])
    (row,) = Page(path).content["rows"]
    assert row[11][1] < 300
    with h5py.File(tmp_path / "report.h5") as report:
        assert np.isnan(report["worst_start_s"][...]).all()


def test_strips_and_rows_are_capped_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_STRIPS", 2)
    monkeypatch.setattr(writer, "MAX_ROWS", 5)
    path = write_page(tmp_path)
    assert Page(path).tags.count("article") == 2
    assert len(Page(path).names) == 5
    assert tuple(Page(path).names[:3]) == WORST_FIRST
    text = path.read_text(encoding="utf-8")
    assert "The first 2 of 9 recordings." in text
    assert "The 5 worst of 12 recordings; report.csv holds all." in text


def test_without_recordings_or_with_very_long_ones_the_page_says_so(tmp_path: Path) -> None:
    path = write_page(tmp_path / "none", read=None)
    text = path.read_text(encoding="utf-8")
    assert text.count("No strip: the recordings were not at hand") == 9

    def unread(name: str) -> Pieces | SkippedRecording:
        raise AssertionError(name)

    day = scored("day.dcm", {2: 0.9})
    object.__setattr__(day, "duration_s", 86_400.0)
    text = write_page(tmp_path / "long", [day], read=unread).read_text(encoding="utf-8")
    assert "the recording is too long to draw here" in text


def test_an_empty_run_has_a_page(tmp_path: Path) -> None:
    path = write_page(tmp_path, [])
    assert Page(path).names == []
    assert "No recording was flagged with a finding." in path.read_text(encoding="utf-8")


def test_columns_without_values_are_left_out(tmp_path: Path) -> None:
    meta = Page(write_page(tmp_path, reference_scores=None)).content["meta"]
    assert (meta["percentiles"], meta["probabilities"]) == (False, True)


def test_names_lead_back_to_the_recordings(tmp_path: Path) -> None:
    write_dataset(tmp_path / "a", 1, seed=1)
    write_dataset(tmp_path / "b", 1, seed=2)
    (first,) = tmp_path.glob("a/**/*.hea")
    for odd in ("new\nline.hea", "back\\xe9slash.hea", "back\\\\x41.hea", "ä <b>.hea"):
        (first.parent / odd).write_bytes(first.read_bytes())
    odd_bytes = bytes(first.parent) + b"/raw\\\xe9.hea"
    Path(odd_bytes.decode("utf-8", "surrogateescape")).write_bytes(first.read_bytes())
    for roots in ((tmp_path / "a",), (tmp_path / "a", tmp_path / "b"), (first,)):
        found = list(Discovery(roots))
        for each in found:
            recording = open_shown(each.name, roots)
            assert isinstance(recording, Pieces), each.name
            assert recording.whole.path == each.path
            assert recording.whole.lead_names == LEADS
        assert len(found) == {1: len(found), 2: 7}[len(roots)]
    missing = open_shown("c/none.hea", (tmp_path / "a", tmp_path / "b"))
    assert isinstance(missing, SkippedRecording)
