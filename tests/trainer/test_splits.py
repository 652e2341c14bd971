"""Folds as they are written, and patients on one side only."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.splits import (
    PatientLeakError,
    check_patients_disjoint,
    parse_folds,
    rows_of_folds,
)


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("9", (9,)),
        ("1-7", (1, 2, 3, 4, 5, 6, 7)),
        ("1-3,8", (1, 2, 3, 8)),
        (" 2 , 1 ", (1, 2)),
        ("3,1-3", (1, 2, 3)),
        ("10", (10,)),
    ],
)
def test_folds(text: str, folds: tuple[int, ...]) -> None:
    assert parse_folds(text) == folds


@pytest.mark.parametrize("text", ["", "-", "1-", "-3", "a", "1,,2", "1.5", "3-1", "1-99999999999"])
def test_what_is_no_fold(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_folds(text)


def test_rows_of_folds() -> None:
    folds = np.array([3, 1, 2, 1, 9])
    assert rows_of_folds(folds, (1, 9)).tolist() == [1, 3, 4]
    assert rows_of_folds(folds, ()).tolist() == []


def test_a_patient_on_both_sides_is_refused_and_not_named() -> None:
    patients = np.array(["anna", "ben", "anna", "carla", "ben"])
    check_patients_disjoint(patients, np.array([0, 2]), np.array([1, 3, 4]))
    with pytest.raises(PatientLeakError) as caught:
        check_patients_disjoint(patients, np.array([0, 1]), np.array([2, 3, 4]))
    assert str(caught.value) == "2 patients are on both sides of the split"


def test_recordings_without_a_patient_are_of_different_ones() -> None:
    check_patients_disjoint(np.array(["", "", "a"]), np.array([0, 2]), np.array([1]))
