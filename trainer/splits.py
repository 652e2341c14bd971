"""Who is trained on and who is measured on: never the same patient on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from ecgscreen.wording import counted

N_FOLDS = 10
_LARGEST_FOLD = 1000
_SPLIT = "ecgscreen site split 1"


class PatientLeakError(UsageError):
    """A patient stands on both sides of a split."""


def patient_fold(patient_id: str) -> int:
    """The fold of a site's patient, 1 to `N_FOLDS`, from a hash of the identifier alone.

    A patient has the same fold in every table and every year: who was held out once is
    never trained on later, and a table that grows moves nobody.

    Parameters
    ----------
    patient_id
        Without the blanks around it. Another spelling is another patient.
    """
    digest = hashlib.sha256(f"{_SPLIT}\n{patient_id}".encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % N_FOLDS


def parse_folds(text: str) -> tuple[int, ...]:
    """``"1-7"``, ``"9"`` or ``"1-3,8"`` as numbers.

    Raises
    ------
    ValueError
        If the text is no such list.
    """
    folds: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"folds {text!r}: expected numbers such as 1-7 or 1,2,9")
        begin, end = int(first), int(last or first)
        if not begin <= end <= _LARGEST_FOLD:
            raise ValueError(f"folds {text!r}: expected a rising range up to {_LARGEST_FOLD}")
        folds.update(range(begin, end + 1))
    return tuple(sorted(folds))


def rows_of_folds(folds: NDArray[np.int64], wanted: Iterable[int]) -> NDArray[np.intp]:
    """Row numbers of the recordings in the wanted folds; shape (n,)."""
    return np.flatnonzero(np.isin(folds, list(wanted)))


def check_patients_disjoint(
    patients: NDArray[np.str_], rows_a: NDArray[np.intp], rows_b: NDArray[np.intp]
) -> None:
    """Make sure of it.

    Parameters
    ----------
    patients
        Patient of each recording, shape (N,); an empty string is a patient of its own.
    rows_a, rows_b
        The two sides.

    Raises
    ------
    PatientLeakError
        If a patient is on both sides; says how many, never who.
    """
    shared = np.intersect1d(patients[rows_a], patients[rows_b])
    if n := int(np.count_nonzero(shared != "")):
        raise PatientLeakError(
            f"{counted(n, 'patient is', 'patients are')} on both sides of the split",
            "Put all recordings of a patient in one fold.",
        )
