"""``report.html`` as a person meets it: in a browser, with a keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ecgscreen.recording import LEADS, SkipReason
from ecgscreen.results import Status, not_scored, printable
from tests.browser import NAMES, Browser, find_browser
from tests.ecgscreen.html_reports import HOSTILE, NIGHT, WORST_FIRST, scored, write_page

N_MANY = 10_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip(f"no browser is installed ({', '.join(NAMES)})")
    with Browser(program) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("night"))


@pytest.fixture
def night(browser: Browser, page: Path) -> Browser:
    """The night's page, opened anew, and nothing reviewed."""
    browser.complaints.clear()
    browser.open(page)
    browser.evaluate("localStorage.clear()")
    browser.open(page)
    return browser


def names(browser: Browser) -> list[str]:
    """The recordings that the table shows."""
    cells = "document.querySelectorAll('#rows tbody th')"
    found = browser.evaluate(f"[...{cells}].map(cell => cell.textContent)")
    return [str(name) for name in found]


def head(title: str) -> str:
    """The button over a column."""
    buttons = "[...document.querySelectorAll('#rows thead button')]"
    return f"{buttons}.find(button => button.textContent === '{title}')"


def sorted_by(browser: Browser) -> dict[str, str]:
    found = browser.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#rows thead th')]"
        ".map(th => [th.textContent, th.getAttribute('aria-sort')]))"
    )
    return {title: order for title, order in found.items() if order != "none"}


def choose(browser: Browser, control: str, value: str) -> None:
    browser.evaluate(
        f"(() => {{ const node = document.getElementById('{control}'); node.value = '{value}';"
        "node.dispatchEvent(new Event(node.tagName === 'INPUT' ? 'input' : 'change')); })()"
    )
    browser.evaluate("new Promise(done => setTimeout(done, 250))")


def test_it_opens_without_a_complaint_and_asks_for_nothing(night: Browser) -> None:
    assert tuple(names(night)[:3]) == WORST_FIRST
    assert len(names(night)) == len(NIGHT)
    assert night.complaints == []


def test_names_of_files_run_nothing(night: Browser) -> None:
    assert night.evaluate("document.title").startswith("ECG screening")
    assert set(map(printable, HOSTILE)) <= set(names(night))
    assert night.evaluate("document.querySelectorAll('img, script').length") == 2
    night.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        "{textContent: 'document.title = \"owned\"'}))"
    )
    assert night.evaluate("document.title").startswith("ECG screening")
    assert any("Content Security Policy" in text for text in night.complaints)


def test_columns_sort_both_ways_and_say_so(night: Browser) -> None:
    assert sorted_by(night) == {"Flagged": "ascending"}
    night.evaluate(f"{head('Recording')}.click()")
    ascending = names(night)
    assert sorted_by(night) == {"Recording": "ascending"}
    in_order = [result.path for result in NIGHT if result.path not in HOSTILE]
    assert [name for name in ascending if name in in_order] == in_order
    night.evaluate(f"{head('Recording')}.click()")
    assert names(night) == ascending[::-1]
    assert sorted_by(night) == {"Recording": "descending"}
    night.evaluate(f"{head('Score')}.click()")
    scores = night.evaluate(
        "[...document.querySelectorAll('#rows tbody tr')]"
        ".map(row => row.cells[2].colSpan > 1 ? '' : row.cells[3].textContent)"
    )
    known = [float(text) for text in scores if text]
    assert known == sorted(known, reverse=True)
    assert scores[len(known) :] == [""] * 2, "what has no value comes last"


def test_searching_and_choosing(night: Browser) -> None:
    choose(night, "search", "AF flutter v3")
    assert names(night) == ["d/af-high.hea"]
    choose(night, "search", "no such thing")
    assert names(night) == []
    assert night.evaluate("document.getElementById('shown').textContent") == "No recording matches."
    choose(night, "search", "")
    choose(night, "show", "unscored")
    assert names(night) == ["e/cut.hea"]
    choose(night, "show", "finding")
    assert len(names(night)) == 9
    choose(night, "show", "all")
    choose(night, "values", "0")
    assert names(night)[:2] == ["b/normal.hea", "d/af-high.hea"]
    assert sorted_by(night) == {"Score": "descending"}


def test_ticks_are_kept_shared_and_exported(night: Browser, page: Path, tmp_path: Path) -> None:
    night.evaluate("document.querySelector('article input').click()")
    assert night.evaluate("document.querySelector('#rows tbody input').checked")
    formula = printable(HOSTILE[4])
    rows = "[...document.querySelectorAll('#rows tbody tr')]"
    night.evaluate(
        f"{rows}.find(row => row.textContent.startsWith({json.dumps(formula)}))"
        ".querySelector('input').click()"
    )
    night.open(page)
    assert night.evaluate("document.querySelectorAll('#rows input:checked').length") == 2
    choose(night, "show", "open")
    assert len(names(night)) == len(NIGHT) - 2
    night.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    night.evaluate("document.getElementById('export').click()")
    for _ in range(100):
        files = [path for path in tmp_path.iterdir() if path.suffix == ".csv"]
        if files:
            break
        night.evaluate("new Promise(done => setTimeout(done, 100))")
    (file,) = files
    columns, *lines = file.read_text(encoding="utf-8").splitlines()
    assert columns == "path,record_id,status,flagged,reviewed_utc"
    assert {line.split(",")[0] for line in lines} == {"g/long.hea", f"'{formula}"}
    assert night.complaints == []


def test_it_is_used_with_the_keyboard_alone(night: Browser) -> None:
    reached = []
    for _ in range(16):
        night.press("Tab", 9)
        reached.append(
            night.evaluate(
                "document.activeElement.id || document.activeElement.textContent.slice(0, 20)"
            )
        )
    assert reached[0] == "Skip to the table"
    assert reached[1:3] == ["9flagged with a find", "1not scored"]
    assert reached[3].startswith("Ranked, not flagged")
    assert reached[4:10] == ["search", "show", "values", "Worst first", "export", "Reviewed"]
    night.evaluate(f"{head('Recording')}.focus()")
    night.press("Enter", 13)
    assert sorted_by(night) == {"Recording": "ascending"}
    assert night.evaluate("document.activeElement.textContent") == "Recording"


def test_a_row_says_why_it_has_no_score_and_what_was_noted(
    browser: Browser, tmp_path: Path
) -> None:
    noted = replace(scored("ward/a.hea", {0: 0.1}), notes=("derived from I and II: III",))
    few = replace(scored("ward/few.hea", {0: 0.1}), leads=LEADS[:3])
    browser.open(write_page(tmp_path, [noted, few, NIGHT[4]]))
    cells = browser.evaluate(
        "[...document.querySelectorAll('#rows tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.innerText))"
    )
    assert [row[1] for row in cells] == ["e/cut.hea", "ward/a.hea", "ward/few.hea"]
    assert cells[0][2] == "error: signal file truncated: 6 of 12 bytes"
    assert cells[1][2] == "not flagged"
    assert cells[1][-1].split("\n") == ["good", "derived from I and II: III"]
    assert cells[2][-1].split("\n") == ["good", "Leads scored: 3/12"]
    choose(browser, "search", "derived")
    assert names(browser) == ["ward/a.hea"]
    browser.evaluate("document.querySelector('.counts a').click()")
    assert browser.evaluate("location.hash") == "#not-scored"
    assert browser.complaints == []


def test_what_was_not_scored_is_counted_by_reason_and_apart_from_that_named(
    browser: Browser, tmp_path: Path
) -> None:
    unread = [not_scored(f"{n}.hea", Status.ERROR, SkipReason.TRUNCATED) for n in range(20)]
    browser.open(write_page(tmp_path, unread))
    tables = "[...document.querySelectorAll('#not-scored ~ .scroll table')]"
    boxes = f"{tables}.map(each => each.getBoundingClientRect())"
    counted, named = browser.evaluate(f"{boxes}.map(box => [box.top, box.bottom, box.width])")
    assert named[0] - counted[1] > 15
    assert counted[2] < named[2] / 2


def test_every_control_and_picture_has_a_name(night: Browser) -> None:
    night.call("Accessibility.enable")
    nodes = night.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"checkbox", "button", "searchbox", "combobox", "table", "link", "img", "image"}
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in roles
    ]
    assert [pair for pair in named if not pair[1]] == []
    found = {role for role, _ in named}
    assert {"checkbox", "button", "searchbox", "combobox", "table", "link"} <= found
    assert any(name.startswith("ECG strip of g/long.hea, seconds 20 to 30") for _, name in named)
    night.call("Accessibility.disable")


def test_ten_thousand_recordings_are_shown_in_slices(browser: Browser, tmp_path: Path) -> None:
    many = (scored(f"{n:05d}.hea", {1: 0.4 + n / 20_000}) for n in range(N_MANY))
    browser.complaints.clear()
    browser.open(write_page(tmp_path, many))
    assert browser.evaluate("document.getElementById('shown').textContent") == "1 to 100 of 10,000"
    assert names(browser)[0].startswith("099")
    assert browser.evaluate("document.querySelectorAll('article').length") == 100
    browser.evaluate("[...document.querySelectorAll('.pages button')].at(-1).click()")
    assert (
        browser.evaluate("document.getElementById('shown').textContent") == "101 to 200 of 10,000"
    )
    choose(browser, "search", "0123")
    assert len(names(browser)) == 11, "00123 and 01230 to 01239"
    assert browser.complaints == []


def test_printed_every_strip_is_a_page_on_its_side_in_true_size(night: Browser) -> None:
    width = night.evaluate("document.querySelector('article svg').getAttribute('width')")
    assert width == "270mm"
    night.call("Emulation.setEmulatedMedia", media="print")
    shown = night.evaluate("document.querySelector('article svg').getBoundingClientRect().width")
    assert shown == pytest.approx(270 / 25.4 * 96, rel=0.01)
    assert night.evaluate("getComputedStyle(document.querySelector('.controls')).display") == "none"
    button = "document.querySelector('#rows thead button')"
    assert night.evaluate(f"getComputedStyle({button}).display") == "contents", (
        "or no page repeats it"
    )
    section = "document.getElementById('strips').parentElement"
    assert night.evaluate(f"getComputedStyle({section}).page") == "strip", (
        "or its heading has a page of its own, without a strip"
    )
    night.call("Emulation.setEmulatedMedia", media="")


def test_what_is_folded_is_printed_too(night: Browser) -> None:
    height = "document.querySelector('details table').getBoundingClientRect().height"
    heights = []
    for moment in ("beforeprint", "afterprint"):
        night.evaluate(f"dispatchEvent(new Event('{moment}'))")
        heights.append(night.evaluate(f"document.querySelector('details').open ? {height} : 0"))
    assert heights[0] > 20
    assert heights[1] == 0


def test_new_rows_have_a_mark_and_long_ones_a_time(browser: Browser, tmp_path: Path) -> None:
    day = scored("day.hea", *[{0: 0.1}] * 12, {1: 0.9})
    dated = replace(scored("dated.hea", {1: 0.7}), acquired="2024-03-01 08:15:00")
    browser.complaints.clear()
    browser.open(write_page(tmp_path, [day, dated], earlier=[scored("old.hea", {2: 0.9})]))
    assert names(browser) == ["day.hea new", "dated.hea new", "old.hea"]
    rows = browser.evaluate(
        "[...document.querySelectorAll('#rows tbody tr')].map(row => row.textContent)"
    )
    assert "at 0:02:00" in rows[0]
    assert "2024-03-01 08:15:00" in rows[1]
    choose(browser, "show", "new")
    assert names(browser) == ["day.hea new", "dated.hea new"]
    choose(browser, "search", "2024-03-01")
    assert names(browser) == ["dated.hea new"]
    assert browser.complaints == []
