"""Whether two screenings can be compared at all, and in which diagnoses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ecgscreen.compare.screening import Screening
from ecgscreen.errors import NotComparableError
from ecgscreen.reports.diagnosis_row import DiagnosisRow

_MADE_WITH = ("bundle", "list", "calibration")
"""What scores and flags depend on; each has an attribute that ends in ``_sha256``."""

_SHA_DIGITS = 12


@dataclass(frozen=True)
class Notice:
    """Something to know before the figures are read.

    Attributes
    ----------
    key
        Of the words in ``en.toml`` and ``de.toml``.
    values
        What stands for the braces there.
    """

    key: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Common:
    """What is compared.

    Attributes
    ----------
    diagnoses
        The K diagnoses that both have, with the new one's severity and threshold.
    old, new
        Their columns in the two reports.
    scores_compare
        Whether the scores of both are of one scale: not if the bundles differ.
    notices
        What differs and does not forbid the comparison.
    """

    diagnoses: tuple[DiagnosisRow, ...]
    old: tuple[int, ...]
    new: tuple[int, ...]
    scores_compare: bool
    notices: tuple[Notice, ...]


def common_diagnoses(old: Screening, new: Screening, *, common: bool) -> Common:
    """Find the diagnoses to compare.

    Parameters
    ----------
    old, new
        The screenings.
    common
        Compare what both have although bundle, list or calibration differ.

    Raises
    ------
    NotComparableError
        If one of these differs and `common` is false, or no diagnosis is in both.
    """
    differing = [name for name in _MADE_WITH if _sha256(old, name) != _sha256(new, name)]
    if differing and not common:
        found = "; ".join(_difference(name, old, new) for name in differing)
        raise NotComparableError(
            f"{old.path} and {new.path} were not made with the same {_listed(differing)}: {found}",
            "Scan both with the same, or compare the diagnoses that both have with --common.",
        )
    pairs = _pairs(old.diagnoses, new.diagnoses)
    if not pairs:
        raise NotComparableError(
            f"{old.path} and {new.path} have no diagnosis in common",
            "Screen both with lists that share lines.",
        )
    return Common(
        diagnoses=tuple(new.diagnoses[column] for _, column in pairs),
        old=tuple(column for column, _ in pairs),
        new=tuple(column for _, column in pairs),
        scores_compare="bundle" not in differing,
        notices=tuple(_notices(old, new, differing, pairs)),
    )


def _pairs(old: tuple[DiagnosisRow, ...], new: tuple[DiagnosisRow, ...]) -> list[tuple[int, int]]:
    """Columns of the same line and code; of lines that stand there twice, in their order."""
    places: dict[tuple[str, str, int], int] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for column, row in enumerate(old):
        places[row.name, row.code, seen[row.name, row.code]] = column
        seen[row.name, row.code] += 1
    seen.clear()
    pairs = []
    for column, row in enumerate(new):
        place = places.get((row.name, row.code, seen[row.name, row.code]))
        seen[row.name, row.code] += 1
        if place is not None:
            pairs.append((place, column))
    return pairs


def _notices(
    old: Screening, new: Screening, differing: list[str], pairs: list[tuple[int, int]]
) -> list[Notice]:
    notices = []
    if "bundle" in differing:
        notices.append(Notice("other_bundle", {"found": _difference("bundle", old, new)}))
    if "list" in differing:
        values = {
            "n": str(len(pairs)),
            "n_old": str(len(old.diagnoses)),
            "n_new": str(len(new.diagnoses)),
        }
        notices.append(Notice("other_list", values))
    thresholds = [
        new.diagnoses[right].name
        for left, right in pairs
        # NaN, no threshold, is no other one than NaN.
        if repr(old.diagnoses[left].threshold) != repr(new.diagnoses[right].threshold)
    ]
    if thresholds and "bundle" not in differing:
        notices.append(Notice("other_thresholds", {"names": ", ".join(thresholds)}))
    for name in ("ecgscreen_version", "engine", "precision"):
        found = (old.attributes.get(name, ""), new.attributes.get(name, ""))
        if found[0] != found[1]:
            values = {"what": name.removesuffix("_version"), "old": found[0], "new": found[1]}
            notices.append(Notice("other_software", values))
    return notices


def _difference(name: str, old: Screening, new: Screening) -> str:
    return f"{_named(old, name)} and {_named(new, name)}"


def _named(screening: Screening, name: str) -> str:
    sha256 = _sha256(screening, name)[:_SHA_DIGITS]
    named = screening.attributes.get(name, name)
    return f"{named} {sha256}" if sha256 else f"no {name}"


def _sha256(screening: Screening, name: str) -> str:
    return screening.attributes.get(f"{name}_sha256", "")


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
