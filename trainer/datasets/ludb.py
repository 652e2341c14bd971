"""Lobachevsky University Database: diagnoses of two cardiologists in ludb.csv.

Kalyakulina et al., IEEE Access 2020;8:186181-186190. What each phrase is taken for, and why, is
in docs/evaluation.md.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import Vocabulary
from trainer.datasets.case import LabelledFile, LabelledSet, cases_of_files, implied, in_order

TABLE = "ludb.csv"

_LV_STRAIN = "snomed:370365005"
_OLD_INFARCTION = "snomed:164867002"

_STEMI_WALLS = {
    "anterior wall": ("clinical:anterior-stemi", "sub:AMI"),
    "septal": ("clinical:stemi", "sub:AMI"),
    "apical": ("clinical:stemi", "sub:AMI"),
    "lateral wall": ("clinical:lateral-stemi", "LMI"),
    "inferior wall": ("clinical:inferior-stemi", "sub:IMI"),
    "posterior wall": ("clinical:posterior-stemi", "PMI"),
}
_SCAR_WALLS = {wall: (_OLD_INFARCTION, territory) for wall, (_, territory) in _STEMI_WALLS.items()}
_ISCHAEMIA_WALLS = {
    "anterior wall": ("ISCAN",),
    "septal": ("ISCAS",),
    "apical": ("ISC_",),
    "lateral wall": ("ISCLA",),
    "inferior wall": ("ISCIN",),
    "posterior wall": ("ISC_",),
}

PHRASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Rhythms": {
        "sinus rhythm": ("SR",),
        "sinus bradycardia": ("SBRAD",),
        "sinus tachycardia": ("STACH",),
        "sinus arrhythmia": ("SARRH",),
        "irregular sinus rhythm": ("SARRH",),
        "atrial fibrillation": ("AFIB",),
        "atrial flutter": ("AFLT",),
        "wandering atrial pacemaker": ("snomed:195101003",),
        "aberrant conduction": (),
    },
    "Electric axis of the heart": {
        "electric axis of the heart: left axis deviation": ("snomed:39732003",),
        "electric axis of the heart: right axis deviation": ("snomed:47665007",),
        "electric axis of the heart": (),
    },
    "Conduction abnormalities": {
        "i degree av": ("1AVB",),
        "ii degree av": ("2AVB",),
        "iii degree av": ("3AVB",),
        "incomplete right bundle branch block": ("IRBBB",),
        "incomplete left bundle branch block": ("ILBBB",),
        "complete right bundle branch block": ("CRBBB",),
        "complete left bundle branch block": ("CLBBB",),
        "left anterior hemiblock": ("LAFB",),
        "left posterior hemiblock": ("LPFB",),
        "non-specific intra": ("IVCD",),
        "sinoatrial block": ("snomed:65778007",),
    },
    "Extrasystolies": {
        "ventricular extrasystole, type: couplet": ("snomed:251182009",),
        "ventricular extrasystole, type: bigemini": ("snomed:11157007",),
        "ventricular extrasystole": ("PVC",),
        "atrial extrasystole, type: bigemini": ("snomed:251173003",),
        "atrial extrasystole": ("PAC",),
    },
    "Hypertrophies": {
        "left ventricular hypertrophy": ("LVH",),
        "right ventricular hypertrophy": ("RVH",),
        "left atrial": ("LAO/LAE",),
        "right atrial": ("RAO/RAE",),
        "left ventricular overload": (_LV_STRAIN,),
    },
    "Cardiac pacing": {
        "unipolar atrial": ("snomed:251268003",),
        "unipolar ventricular": ("snomed:251266004",),
        "bipolar ventricular": ("snomed:251266004",),
        "biventricular": ("snomed:251266004",),
        "": ("PACE",),
    },
    "Ischemia": {
        **{f"stemi: {wall}": concepts for wall, concepts in _STEMI_WALLS.items()},
        **{f"scar formation: {wall}": concepts for wall, concepts in _SCAR_WALLS.items()},
        **{f"ischemia: {wall}": concepts for wall, concepts in _ISCHAEMIA_WALLS.items()},
        "undefined ischemia/scar/supp.nstemi": ("ISC_",),
    },
    "Non-specific repolarization abnormalities": {
        "non-specific repolarization abnormalities": ("any:NSSTT", "STTC"),
    },
    "Other states": {"early repolarization": ("snomed:428417006",)},
}
"""Column -> how a phrase begins -> concepts; the first that fits counts."""

_FINDINGS = tuple(column for column in PHRASES if column != "Electric axis of the heart")
_NORMAL_AXES = ("normal", "vertical", "horizontal")
_MI_TERRITORIES = frozenset({"sub:AMI", "sub:IMI", "LMI", "PMI"})


def ludb_set(folders: Sequence[Path], vocabulary: Vocabulary) -> LabelledSet:
    """Every recording of some LUDB folders that is there, with its diagnoses.

    Each recording is of a patient of its own.

    Raises
    ------
    UsageError
        If a folder has no ``ludb.csv`` as in LUDB 1.0.1, or none of its recordings.
    """
    files, unknown = [], Counter[str]()
    for folder in folders:
        for number, row in _rows(folder / TABLE):
            path = folder / "data" / f"{number}.hea"
            if path.exists():
                concepts, phrases = concepts_of_row(row)
                unknown.update(phrases)
                carried = implied(vocabulary, concepts)
                files.append(LabelledFile(path, folder, f"{folder}/{number}", carried))
    if not files:
        raise UsageError(
            f"none of the table's recordings is in {', '.join(map(str, folders))}",
            "They have to lie as data/1.hea, data/2.hea ... beside ludb.csv.",
        )
    known = {
        "NORM",
        *(key for phrases in PHRASES.values() for ids in phrases.values() for key in ids),
    }
    return LabelledSet(
        name="ludb",
        annotated=in_order(vocabulary, implied(vocabulary, known)),
        cases=partial(cases_of_files, files),
        notes=(f"{unknown.total()} phrases of {TABLE} are not known, {len(unknown)} different",)
        if unknown
        else (),
    )


def concepts_of_row(row: Mapping[str, str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """What a row of the table says, without broader concepts.

    "Normal" is nowhere written in the table: NORM is carried by sinus rhythm with a normal,
    vertical or horizontal axis and not a word in any other column.

    Parameters
    ----------
    row
        A row of ludb.csv, by the column's name.

    Returns
    -------
    The ids of concepts, and the phrases that are not known.
    """
    carried: set[str] = set()
    unknown = []
    for column, known in PHRASES.items():
        for phrase in _phrases(row[column]):
            concepts = next((ids for begin, ids in known.items() if phrase.startswith(begin)), None)
            if concepts is None:
                unknown.append(phrase)
            else:
                carried.update(concepts)
    if carried & _MI_TERRITORIES:
        carried.add("MI")
    findings = [phrase for column in _FINDINGS for phrase in _phrases(row[column])]
    axes = _phrases(row["Electric axis of the heart"])
    if findings == ["sinus rhythm"] and all(axis.endswith(_NORMAL_AXES) for axis in axes):
        carried.add("NORM")
    return frozenset(carried), tuple(unknown)


def _phrases(cell: str) -> list[str]:
    folded = (" ".join(line.casefold().split()).rstrip(". ") for line in cell.splitlines())
    return [phrase for phrase in folded if phrase]


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            missing = {"ID", *PHRASES} - set(reader.fieldnames or ())
            if missing:
                raise UsageError(
                    f"{table}: no column {', '.join(sorted(missing))}",
                    "Give the table of LUDB 1.0.1.",
                )
            for row in reader:
                yield int(row["ID"]), row
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{table}: cannot be read as LUDB's table ({type(error).__name__})",
            f"Name a folder that holds {TABLE} and data/.",
        ) from error
