"""What has to go from a training for a diagnosis to be unseen in it."""

from __future__ import annotations

import pytest

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from tests.labelled_recordings import concepts_of, labelled
from trainer.unseen import stand_ins, without_concepts

VOCABULARY = load_vocabulary()
FIBRILLATION = {"AFIB", "any:AFIB/AFLT"}
FLUTTER = {"AFLT", "any:AFIB/AFLT"}


def test_a_group_goes_when_more_than_half_of_it_is_the_diagnosis() -> None:
    mostly = labelled([FIBRILLATION, FIBRILLATION, FLUTTER])
    assert stand_ins(mostly, VOCABULARY, ["AFIB"]) == ("any:AFIB/AFLT",)
    half = labelled([FIBRILLATION, FLUTTER])
    assert stand_ins(half, VOCABULARY, ["AFIB"]) == ()


def test_other_statements_stay_however_often_they_come_along() -> None:
    together = labelled([{*FIBRILLATION, "PVC"}] * 3)
    assert stand_ins(together, VOCABULARY, ["AFIB"]) == ("any:AFIB/AFLT",)


def test_of_a_group_every_member_names_it() -> None:
    found = stand_ins(labelled([FLUTTER]), VOCABULARY, ["any:AFIB/AFLT"])
    assert set(found) == {"AFIB", "AFLT"}


def test_recordings_stay_without_what_is_left_out() -> None:
    recordings = labelled([{*FIBRILLATION, "PVC"}, {"SR"}, FIBRILLATION])
    left = without_concepts(recordings, VOCABULARY, ["AFIB"])
    assert [concepts_of(left, row) for row in range(3)] == [{"PVC"}, {"SR"}, set()]
    assert concepts_of(recordings, 0) == {*FIBRILLATION, "PVC"}


def test_reports_do_not_tell_it_either() -> None:
    reports = ("Vorhofflimmern", "kein Vorhofflimmern", "AF", "Sinusrhythmus", "")
    recordings = labelled([(), {"SR"}, FIBRILLATION, {"SR"}, {"SR"}], reports)
    left = without_concepts(recordings, VOCABULARY, ["AFIB"])
    assert left.reports == ("", "", "", "Sinusrhythmus", "")


def test_an_unknown_id_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="'AFIP' is no concept's id") as refusal:
        without_concepts(labelled([{"SR"}]), VOCABULARY, ["AFIP"])
    assert "AFIB" in refusal.value.advice
