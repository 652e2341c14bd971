"""Labels out of report text alone."""

from __future__ import annotations

from ecgscreen.vocabulary import load_vocabulary
from tests.labelled_recordings import concepts_of, labelled
from trainer.from_reports import recordings_from_reports

VOCABULARY = load_vocabulary()
REPORTS = (
    "Vorhofflimmern. Kein Infarkt.",
    "",
    "sinus rhythm. first degree av block",
    "siehe Vorbefund",
    "Vorhofflimmern. Kein Infarkt.",
)


def test_the_text_labels_and_the_codes_do_not_count() -> None:
    coded = labelled([{"IMI", "MI"}] * 5, REPORTS, patients=list("abcde"))
    read = recordings_from_reports(coded, VOCABULARY)
    assert read.patients.tolist() == ["a", "c", "e"]  # the others say nothing
    assert read.reports == (REPORTS[0], REPORTS[2], REPORTS[4])
    assert concepts_of(read, 0) == concepts_of(read, 2) == {"AFIB", "any:AFIB/AFLT"}
    assert {"SR", "1AVB", "CD"} <= concepts_of(read, 1)
    assert len(read.windows) == len(read.folds) == len(read.ages) == 3
    assert concepts_of(coded, 0) == {"IMI", "MI"}


def test_conventions_of_coding_are_off_unless_asked_for() -> None:
    voltage_only = labelled([()], ["voltage criteria for left ventricular hypertrophy"])
    without = concepts_of(recordings_from_reports(voltage_only, VOCABULARY), 0)
    with_them = concepts_of(recordings_from_reports(voltage_only, VOCABULARY, conventions=True), 0)
    assert "VCLVH" in without
    assert "LVH" not in without
    assert "LVH" in with_them


def test_recordings_without_any_report_leave_nothing() -> None:
    assert len(recordings_from_reports(labelled([{"AFIB"}] * 2), VOCABULARY).windows) == 0
