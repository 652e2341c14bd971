"""Recordings with what they carry, through ecgscreen's own readers and preprocessing."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkippedRecording
from ecgscreen.vocabulary import Vocabulary
from trainer.cells import age_or_nan, number_or_nan
from trainer.prepare import named, prepare_known

DATABASE = "ptbxl_database.csv"


@dataclass(frozen=True)
class PtbXlRow:
    """A line of PTB-XL's database: what is known of a recording besides its signal.

    Attributes
    ----------
    path
        The recording's header.
    scp_codes
        Its statements, whatever their likelihood.
    patient
        Identifier within the database.
    fold
        1 to 10.
    age
        In years, NaN where unknown; PTB-XL writes 300 for over 89, which is 90 here.
    sex
        1 or 0 as in the database, NaN where unknown.
    report
        As written, empty where there is none.
    """

    path: Path
    scp_codes: tuple[str, ...]
    patient: str
    fold: int
    age: float
    sex: float
    report: str = ""


@dataclass(frozen=True)
class RecordingRow:
    """A recording that is to be prepared, from whatever table it is.

    Attributes
    ----------
    path, root
        See `read_recording`.
    carried
        Ids of concepts, groups included.
    patient, fold, age, sex, report
        See `PtbXlRow`.
    """

    path: Path
    root: Path
    carried: frozenset[str]
    patient: str
    fold: int
    age: float = float("nan")
    sex: float = float("nan")
    report: str = ""


@dataclass(frozen=True)
class LabelledRecordings:
    """Prepared recordings and the concepts they carry.

    Attributes
    ----------
    windows
        float32, shape (N, 12, n_samples): each recording's first window.
    lead_mask
        bool, shape (N, 12).
    amplitude_known
        bool, shape (N,).
    concept_ids
        K ids of the vocabulary.
    carried
        bool, shape (N, K).
    patients
        shape (N,).
    folds
        int64, shape (N,).
    ages, sexes
        float32, shape (N,): see `PtbXlRow`.
    skipped
        Rows of the database that could not be prepared, with the reason.
    reports
        N texts as written, empty where there is none; or nothing at all.
    """

    windows: NDArray[np.float32]
    lead_mask: NDArray[np.bool_]
    amplitude_known: NDArray[np.bool_]
    concept_ids: tuple[str, ...]
    carried: NDArray[np.bool_]
    patients: NDArray[np.str_]
    folds: NDArray[np.int64]
    ages: NDArray[np.float32]
    sexes: NDArray[np.float32]
    skipped: tuple[SkippedRecording, ...]
    reports: tuple[str, ...] = ()


def select(recordings: LabelledRecordings, rows: NDArray[np.intp]) -> LabelledRecordings:
    """Some of the recordings, in the order of ``rows``, shape (n,); `skipped` stays whole."""
    return replace(
        recordings,
        windows=recordings.windows[rows],
        lead_mask=recordings.lead_mask[rows],
        amplitude_known=recordings.amplitude_known[rows],
        carried=recordings.carried[rows],
        patients=recordings.patients[rows],
        folds=recordings.folds[rows],
        ages=recordings.ages[rows],
        sexes=recordings.sexes[rows],
        reports=tuple(recordings.reports[row] for row in rows) if recordings.reports else (),
    )


def read_ptbxl_table(folder: Path, folds: Iterable[int]) -> Iterator[PtbXlRow]:
    """Rows of a folder in PTB-XL's layout, those of the wanted folds.

    Raises
    ------
    UsageError
        If the folder has no such table or a row of it cannot be understood.
    """
    wanted = set(folds)
    table = folder / DATABASE
    try:
        with table.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                try:
                    fold = int(float(row["strat_fold"]))
                    codes = tuple(map(str, ast.literal_eval(row["scp_codes"])))
                    name = row["filename_lr"]
                    # Without a number every recording is of a patient of its own.
                    patient = row["patient_id"] or name
                except (
                    KeyError,
                    ValueError,
                    SyntaxError,
                    TypeError,
                    OverflowError,
                    RecursionError,
                    MemoryError,
                ) as error:
                    raise UsageError(
                        f"{table}: line {number} is not as in PTB-XL ({type(error).__name__})",
                        "Its columns have to be strat_fold, scp_codes, filename_lr, patient_id.",
                    ) from error
                if fold in wanted:
                    yield PtbXlRow(
                        path=folder / f"{name}.hea",
                        scp_codes=codes,
                        patient=patient,
                        fold=fold,
                        age=age_or_nan(row.get("age")),
                        sex=number_or_nan(row.get("sex")),
                        report=(row.get("report") or "").strip(),
                    )
    except OSError as error:
        raise UsageError(
            f"{table}: {error.strerror}", f"Name a folder that holds PTB-XL's {DATABASE}."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table}: {error}", "Give a CSV file in UTF-8.") from error


def load_ptbxl(
    folders: Sequence[Path],
    folds: Iterable[int],
    vocabulary: Vocabulary,
    config: PreprocessConfig,
) -> LabelledRecordings:
    """Read and prepare all recordings of the wanted folds.

    A recording that cannot be read or used is left out and named in `skipped`.

    Raises
    ------
    UsageError
        If a folder is not in PTB-XL's layout, a statement is unknown, or no recording is left.
    """
    wanted = tuple(folds)
    rows = (
        RecordingRow(
            path=row.path,
            root=folder,
            carried=_concepts_of(row, folder, vocabulary),
            patient=row.patient,
            fold=row.fold,
            age=row.age,
            sex=row.sex,
            report=row.report,
        )
        for folder in folders
        for row in read_ptbxl_table(folder, wanted)
    )
    return prepare_rows(rows, vocabulary, config, f"of folds {wanted} ")


def prepare_rows(
    rows: Iterable[RecordingRow],
    vocabulary: Vocabulary,
    config: PreprocessConfig,
    which: str = "",
    *,
    distinct: bool = False,
) -> LabelledRecordings:
    """Read and prepare recordings; one that cannot be is left out and named in `skipped`.

    Parameters
    ----------
    rows
        What is known of them.
    vocabulary
        Its concepts are the columns of `LabelledRecordings.carried`.
    config
        Of the bundle, or to be.
    which
        Of the recordings, for the message.
    distinct
        Whether a signal that an earlier row had is left out, under whatever name.

    Raises
    ------
    UsageError
        If none is left.
    """
    ids = tuple(concept.id for concept in vocabulary.concepts)
    column = {concept: k for k, concept in enumerate(ids)}
    windows, masks, known, carried, kept = [], [], [], [], []
    skipped = []
    fingerprints: set[str] = set()
    for row in rows:
        found = prepare_known(row.path, row.root, config)
        if isinstance(found, SkippedRecording):
            skipped.append(found)
            continue
        prepared, fingerprint = found
        if distinct and fingerprint in fingerprints:
            continue
        fingerprints.add(fingerprint)
        windows.append(prepared.windows[0])
        masks.append(prepared.lead_mask)
        known.append(prepared.amplitude_known)
        labels = np.zeros(len(ids), dtype=np.bool_)
        labels[[column[c] for c in row.carried]] = True
        carried.append(labels)
        kept.append(row)
    if not windows:
        first = f", the first: {named(skipped[0])}" if skipped else ""
        raise UsageError(
            f"no recording {which}could be prepared ({len(skipped)} skipped{first})",
            f"Check the folder{' and the folds' if which else ''}.",
        )
    return LabelledRecordings(
        windows=np.stack(windows),
        lead_mask=np.stack(masks),
        amplitude_known=np.array(known),
        concept_ids=ids,
        carried=np.stack(carried),
        patients=np.array([row.patient for row in kept]),
        folds=np.array([row.fold for row in kept]),
        ages=np.array([row.age for row in kept], dtype=np.float32),
        sexes=np.array([row.sex for row in kept], dtype=np.float32),
        skipped=tuple(skipped),
        reports=tuple(row.report for row in kept),
    )


def _concepts_of(row: PtbXlRow, folder: Path, vocabulary: Vocabulary) -> frozenset[str]:
    try:
        return vocabulary.concepts_of(row.scp_codes)
    except ValueError as error:
        raise UsageError(
            f"{folder / DATABASE}: {row.path.stem}: {error}",
            "The keys of scp_codes have to be PTB-XL's SCP-ECG statements.",
        ) from error
