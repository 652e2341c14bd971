"""From reports to labels, PTB-XL's conventions, and agreement with its codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.report_coverage import FOLDERS
from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from trainer.reports import findings, normalise, statements_from_report
from trainer.reports.agreement import Agreement, Comparison, compare, read_coded_reports
from trainer.reports.statements import load_conventions, with_groups
from trainer.reports.tables import read_table

HEADER = "report,scp_codes,strat_fold,patient_id,metadata\n"


def test_uncertain_counts_and_negated_does_not() -> None:
    carried = statements_from_report("Inferiorer Infarkt möglich, kein Linksschenkelblock.")
    assert carried == {"IMI", "sub:IMI", "MI"}


def test_a_concept_that_is_denied_once_and_affirmed_once_is_carried() -> None:
    assert "AFIB" in statements_from_report("Earlier no atrial fibrillation. Atrial fibrillation.")


@pytest.mark.parametrize(
    "codes", [("IMI", "SR"), ("1AVB", "LVH", "NDT"), ("NORM",), ("AFIB", "PVC")]
)
def test_groups_are_those_of_the_codes(codes: tuple[str, ...]) -> None:
    assert with_groups(codes) == load_vocabulary().concepts_of(codes)


def test_broader_concepts_and_their_groups_are_carried() -> None:
    assert {"AFIB", "any:AFIB/AFLT"} <= with_groups(["snomed:314208002"])
    assert {"MI"} <= with_groups(["clinical:anterior-stemi"])
    with pytest.raises(KeyError):
        with_groups(["no such concept"])


def test_an_edit_note_is_no_label() -> None:
    assert statements_from_report("Sinus rhythm. Edit: AFIB 100, LVH 80") == {"SR"}


@pytest.mark.parametrize(
    ("report", "with_them", "without_them"),
    [
        ("sinus rhythm. voltage criteria for lvh.", {"LVH", "VCLVH"}, {"VCLVH"}),
        ("left bundle branch block. possible ischaemia.", {"CLBBB"}, {"CLBBB", "ISC_"}),
        ("prolonged pr interval.", {"LPR", "1AVB"}, {"LPR"}),
        ("prolonged pr interval. normal ecg.", {"LPR", "NORM"}, {"LPR", "NORM"}),
        ("left anterior hemiblock. otherwise normal ecg.", {"LAFB"}, {"LAFB", "NORM"}),
        ("anteriorer infarkt", {"ASMI"}, {"AMI"}),
        ("p-sinistrocardiale", set(), {"LAO/LAE"}),
        ("left atrial enlargement", {"LAO/LAE"}, {"LAO/LAE"}),
        ("Linkstyp", set(), set()),
    ],
)
def test_conventions(report: str, with_them: set[str], without_them: set[str]) -> None:
    coded = {concept.id for concept in load_vocabulary().concepts if concept.scp is not None}
    assert statements_from_report(report) & coded - {"SR"} == with_them
    assert statements_from_report(report, conventions=False) & coded - {"SR"} == without_them


def test_the_counts_of_the_conventions_are_true(data_dir: Path) -> None:
    """Each rule on folds 1-7, after those before it."""
    reports = list(read_coded_reports([data_dir / name for name in FOLDERS], range(1, 8)))
    counts = [[0, 0] for _ in load_conventions()]
    for report in reports:
        text = normalise(report.report).text
        affirmed = (f for f in findings(report.report) if f.certainty != "negated")
        carried = frozenset(found.concept_id for found in affirmed)
        for rule, count in zip(load_conventions(), counts, strict=True):
            changed = rule.applied(carried, text)
            if changed != carried:
                count[0] += (rule.add or rule.drop) in report.concepts
                count[1] += 1
            carried = changed
    for rule, count, row in zip(
        load_conventions(), counts, read_table("conventions.toml")["rule"], strict=True
    ):
        agreed = count[0] if rule.add else count[1] - count[0]
        assert [agreed, count[1]] == row["agreed"], row


def test_reports_agree_with_the_codes_of_another_fold(data_dir: Path) -> None:
    reports = list(read_coded_reports([data_dir / name for name in FOLDERS], [8]))
    assert len(reports) > 100
    comparison = compare(reports, statements_from_report)
    superclasses = [concept.id for concept in load_vocabulary().task("superclass")]
    assert comparison.micro(superclasses).f1 > 0.72
    assert comparison.of("AFIB").f1 > 0.95
    assert comparison.of("SR").f1 > 0.95


def test_figures_of_an_agreement() -> None:
    agreement = Agreement(hits=6, misses=2, false_alarms=4)
    assert agreement.precision == pytest.approx(0.6)
    assert agreement.recall == pytest.approx(0.75)
    assert agreement.f1 == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    nothing = Agreement(0, 0, 0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0.0, 0.0, 0.0)


def test_micro_macro_and_interval() -> None:
    coded = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=np.bool_)
    read = np.array([[1, 0], [0, 0], [0, 1], [0, 1]], dtype=np.bool_)
    patients = np.array(["a", "b", "c", "d"])
    comparison = Comparison(("AFIB", "SR"), coded, read, patients)
    assert comparison.of("AFIB") == Agreement(hits=1, misses=1, false_alarms=0)
    assert comparison.micro(["AFIB", "SR"]) == Agreement(hits=2, misses=1, false_alarms=1)
    assert comparison.macro_f1(["AFIB", "SR"]) == pytest.approx(2 / 3)
    interval = comparison.micro_f1_interval(["AFIB", "SR"])
    assert interval.low <= 2 / 3 <= interval.high
    assert comparison.frequent(["AFIB", "SR"], 2) == ("AFIB",)


def test_only_complete_rows_with_a_report_are_read(tmp_path: Path) -> None:
    (tmp_path / "ptbxl_database.csv").write_text(
        HEADER
        + "Sinusrhythmus,{'SR': 0.0},1.0,7,complete\n"
        + "sinus rhythm,{'SR': 0.0},2.0,8,complete\n"
        + "sinus rhythm,{'SR': 0.0},1.0,9,codes-only\n"
        + " ,{'SR': 0.0},1.0,10,complete\n",
        encoding="utf-8",
    )
    (report,) = read_coded_reports([tmp_path], [1])
    assert (report.report, report.patient, report.language) == ("Sinusrhythmus", "7", "de")
    assert report.concepts == {"SR"}


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        list(read_coded_reports([tmp_path], [1]))
    (tmp_path / "ptbxl_database.csv").write_text(HEADER + "x,{},one,1,complete\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 2 is not as in PTB-XL"):
        list(read_coded_reports([tmp_path], [1]))
