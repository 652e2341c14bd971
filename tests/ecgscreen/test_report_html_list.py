"""What the page says of the list of diagnoses, and in which language."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ecgscreen.reports.diagnosis_row import VOLTAGE_CODES
from ecgscreen.vocabulary import load_vocabulary
from tests.ecgscreen.html_reports import (
    DIAGNOSES,
    Page,
    scored,
    write_page,
)


def test_a_calibration_of_the_site_is_named(tmp_path: Path) -> None:
    path = write_page(tmp_path, calibration={"file": "<ours>.json", "sha256": "d" * 64})
    assert f"<dd>&lt;ours&gt;.json, SHA-256 {'d' * 64}</dd>" in path.read_text(encoding="utf-8")


def test_a_list_says_what_it_is_not_for_and_what_nobody_has_seen(tmp_path: Path) -> None:
    unseen = replace(DIAGNOSES[2], seen=False, group="AV <block>")
    page = write_page(tmp_path, diagnoses=(*DIAGNOSES[:2], unseen, DIAGNOSES[3]))
    text = page.read_text(encoding="utf-8")
    glance = text.split('id="glance"')[1].split("</section>")[0]
    assert "It is not for urgent use" in glance
    assert "1 of 4 diagnoses were never met in training" in glance
    row = glance.split("complete AV block")[1].split("</tr>")[0]
    assert "<td>AV &lt;block&gt;</td>" in row
    assert '<span class="flag critical">critical</span>' in row
    assert "2, the others unknown" in row
    article = text.split('<article id="r-')[1].split("</article>")[0]
    assert "AV &lt;block&gt;" in article
    assert '<span class="flag critical">critical</span>' in article
    assert Page(page).content["meta"]["diagnoses"][2]["group"] == "AV <block>"


def test_a_plain_list_has_no_such_words(tmp_path: Path) -> None:
    plain = tuple(replace(row, severity="info") for row in DIAGNOSES)
    text = write_page(tmp_path, diagnoses=plain).read_text(encoding="utf-8")
    shown = text.split("<script")[0]
    assert "urgent use: this is no monitor" not in shown
    assert "never met in training" not in shown
    assert not re.search(r"<th[^>]*>(Severity|Group)<", shown)


def test_a_list_that_cannot_flag_says_so_and_counts_no_flags(tmp_path: Path) -> None:
    ranked = tuple(replace(row, threshold=float("nan")) for row in DIAGNOSES)
    page = write_page(tmp_path, diagnoses=ranked)
    glance = page.read_text(encoding="utf-8").split('id="glance"')[1].split("</section>")[0]
    assert "nothing can be flagged" in glance
    assert "<b>11</b>ranked, not flagged" in glance
    assert "flagged with a finding" not in glance
    assert "<th scope" in glance.split("Ranked, not flagged, since")[1]
    assert "Threshold<" not in glance
    assert re.search(r"g/<wbr>long.hea \(0.\d{3}; percentile \d", glance)
    assert "Nothing can be flagged with this list" in page.read_text(encoding="utf-8")
    assert not Page(page).content["meta"]["flags"]


def test_without_normal_findings_nothing_is_counted_as_normal(tmp_path: Path) -> None:
    text = write_page(
        tmp_path, diagnoses=tuple(replace(row, code="") for row in DIAGNOSES)
    ).read_text(encoding="utf-8")
    assert "flagged as normal only" not in text.split("<script")[0]


def test_what_rests_on_voltage_is_marked_where_there_is_none(tmp_path: Path) -> None:
    mark = "rests on heights in mV"
    high = tuple(replace(row, code={"3AVB": "HVOLT"}.get(row.code, row.code)) for row in DIAGNOSES)
    normalised = ("unit NU is no voltage: amplitude unknown",)
    for flagged, notes, marked in (
        ({2: 0.9}, normalised, 1),
        ({2: 0.9}, (), 0),
        ({1: 0.9}, normalised, 0),
    ):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        page = write_page(folder, [replace(scored("a.hea", flagged), notes=notes)], diagnoses=high)
        article = page.read_text(encoding="utf-8").split("<article")[1].split("</article>")[0]
        assert article.count(mark) == marked
        content = Page(page).content
        assert content["rows"][0][18] == bool(notes)
        assert [row["voltage"] for row in content["meta"]["diagnoses"]] == [
            False,
            False,
            True,
            False,
        ]


def test_codes_of_voltage_are_of_the_vocabulary() -> None:
    assert {concept.id for concept in load_vocabulary().concepts} >= VOLTAGE_CODES


def test_in_german(tmp_path: Path) -> None:
    path = write_page(tmp_path, language="de")
    text = path.read_text(encoding="utf-8")
    assert '<html lang="de">' in text
    assert "Kein Medizinprodukt" in text
    assert "Signaldatei abgeschnitten" in text
    assert "verwendbar: V3 flach" in text
    assert '<td class="number">0,800</td>' in text
    assert "1.234</b>" in text
    assert "kein Filter" in text
    with pytest.raises(ValueError, match="'fr', one of en, de is expected"):
        write_page(tmp_path / "fr", language="fr")
