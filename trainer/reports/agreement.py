"""How far the statements read out of reports agree with the codes given to the recordings."""

from __future__ import annotations

import ast
import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from trainer.metrics import Interval, bootstrap_interval
from trainer.reports.normalise import normalise

DATABASE = "ptbxl_database.csv"
_MAX_FIELD = 1_000_000


@dataclass(frozen=True)
class CodedReport:
    """A report and what its recording carries.

    Attributes
    ----------
    report
        As it stands in the table; never empty.
    concepts
        Ids of the statements and of their groups.
    patient
        Identifier within the database.
    language
        Of most of its sentences.
    """

    report: str
    concepts: frozenset[str]
    patient: str
    language: str


@dataclass(frozen=True)
class Agreement:
    """Precision, recall and F1 of one concept, or of several together (micro).

    Attributes
    ----------
    hits, misses, false_alarms
        Numbers of recordings, or of recordings and concepts.
    """

    hits: int
    misses: int
    false_alarms: int

    @property
    def precision(self) -> float:
        """0 where nothing was found."""
        return self.hits / max(1, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        """0 where there was nothing to find."""
        return self.hits / max(1, self.hits + self.misses)

    @property
    def f1(self) -> float:
        """0 where nothing was found and nothing was there."""
        return 2 * self.hits / max(1, 2 * self.hits + self.misses + self.false_alarms)


@dataclass(frozen=True)
class Comparison:
    """Codes and statements of a set of reports, recording by concept.

    Attributes
    ----------
    concept_ids
        K of them.
    coded, read
        bool, shape (N, K): carried by the codes; read out of the report.
    patients
        shape (N,).
    """

    concept_ids: tuple[str, ...]
    coded: NDArray[np.bool_]
    read: NDArray[np.bool_]
    patients: NDArray[np.str_]

    def of(self, concept_id: str) -> Agreement:
        """The agreement in one concept.

        Raises
        ------
        ValueError
            If the concept is not among those compared.
        """
        return self.micro([concept_id])

    def micro(self, concept_ids: Sequence[str]) -> Agreement:
        """The agreement in several concepts, all decisions counted together."""
        columns = [self.concept_ids.index(concept_id) for concept_id in concept_ids]
        return _agreement(self.coded[:, columns], self.read[:, columns])

    def macro_f1(self, concept_ids: Sequence[str]) -> float:
        """The mean of the F1 of several concepts."""
        return float(np.mean([self.of(concept_id).f1 for concept_id in concept_ids]))

    def micro_f1_interval(self, concept_ids: Sequence[str]) -> Interval:
        """95 % interval of the micro F1, patients resampled."""
        columns = [self.concept_ids.index(concept_id) for concept_id in concept_ids]
        coded, read = self.coded[:, columns], self.read[:, columns]
        return bootstrap_interval(
            lambda rows: _agreement(coded[rows], read[rows]).f1, self.patients
        )

    def frequent(self, concept_ids: Iterable[str], minimum: int) -> tuple[str, ...]:
        """Those that at least so many recordings carry by their codes."""
        counts = dict(zip(self.concept_ids, self.coded.sum(axis=0), strict=True))
        return tuple(concept for concept in concept_ids if counts[concept] >= minimum)


def read_coded_reports(folders: Iterable[Path], folds: Iterable[int]) -> Iterator[CodedReport]:
    """Reports with their codes from folders in PTB-XL's layout.

    Rows without a report, or of which only the codes are known (``metadata`` is not
    ``complete``, where the table has that column), are left out.

    Raises
    ------
    UsageError
        If a table is missing, or a row of it cannot be understood.
    """
    wanted = set(folds)
    vocabulary = load_vocabulary()
    csv.field_size_limit(_MAX_FIELD)
    for folder in folders:
        table = folder / DATABASE
        try:
            file = table.open(newline="", encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{table}: {error.strerror}", f"Name a folder that holds PTB-XL's {DATABASE}."
            ) from error
        with file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    fold = int(float(row["strat_fold"]))
                    codes = tuple(ast.literal_eval(row["scp_codes"]))
                    report, patient = row["report"], row["patient_id"]
                except (KeyError, ValueError, SyntaxError, TypeError) as error:
                    raise UsageError(
                        f"{table}: line {number} is not as in PTB-XL ({type(error).__name__})",
                        "It has to have the columns strat_fold, scp_codes, report, patient_id.",
                    ) from error
                known = row.get("metadata", "complete") == "complete"
                if fold in wanted and known and report.strip():
                    concepts = vocabulary.concepts_of(codes)
                    yield CodedReport(report, concepts, patient, normalise(report).language)


def compare(reports: Sequence[CodedReport], read: Callable[[str], frozenset[str]]) -> Comparison:
    """Hold a reading of reports against their codes.

    Parameters
    ----------
    reports
        At least one.
    read
        From a report to ids of concepts, such as `trainer.reports.statements_from_report`.
    """
    ids = tuple(concept.id for concept in load_vocabulary().concepts)
    found = [read(report.report) for report in reports]
    return Comparison(
        concept_ids=ids,
        coded=np.array([[concept in report.concepts for concept in ids] for report in reports]),
        read=np.array([[concept in carried for concept in ids] for carried in found]),
        patients=np.array([report.patient for report in reports]),
    )


def _agreement(coded: NDArray[np.bool_], read: NDArray[np.bool_]) -> Agreement:
    return Agreement(
        hits=int((coded & read).sum()),
        misses=int((coded & ~read).sum()),
        false_alarms=int((~coded & read).sum()),
    )
