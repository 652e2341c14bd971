"""Two bundles side by side on the same recordings, paired; needs no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.vocabulary import Vocabulary
from ecgscreen.wording import counted
from engines.select import load_engine
from trainer.data import LabelledRecordings
from trainer.evaluate import embed
from trainer.metrics import (
    MIN_POSITIVES,
    Interval,
    auc,
    bootstrap_interval,
    macro_auc,
    measurable,
)

MIN_PATIENTS = 10
"""With fewer, resampling them says nothing about others."""


class Verdict(StrEnum):
    """What a comparison comes to."""

    NOT_WORSE = "not worse"
    WORSE = "worse"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class ClassPair:
    """AUC of one class with either bundle, and its positives."""

    old: float
    new: float
    n_positive: int


@dataclass(frozen=True)
class Comparison:
    """An old and a new bundle on one set.

    Attributes
    ----------
    name, what
        Short, and what the set is.
    n, n_patients
        Recordings and patients.
    old, new
        Macro AUC over `per_class`, NaN without a class.
    difference, interval
        New minus old, with the 95 % interval of this paired difference over patients.
    verdict
        Worse where the whole interval lies below 0; not known where no class has
        `trainer.metrics.MIN_POSITIVES` positives and negatives, or patients are fewer than
        `MIN_PATIENTS`.
    per_class
        By concept id.
    """

    name: str
    what: str
    n: int
    n_patients: int
    old: float
    new: float
    difference: float
    interval: Interval
    verdict: Verdict
    per_class: dict[str, ClassPair]


def compare(
    old: Bundle,
    new: Bundle,
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    *,
    name: str,
    what: str,
) -> Comparison:
    """Score the recordings with both bundles, against every statement that can be measured.

    Groups of statements are left out of the mean, because they would count their members twice.

    Parameters
    ----------
    old, new
        The bundles, of one preprocessing.
    recordings
        Prepared with it; neither bundle was trained on them.
    vocabulary
        Its concepts are what the recordings carry.
    name, what
        See `Comparison`.

    Raises
    ------
    BundleError
        If a bundle lacks one of the concepts.
    """
    columns = _compared(recordings, vocabulary)
    names = [recordings.concept_ids[k] for k in columns]
    positive = recordings.carried[:, columns]
    before, after = (_scores(bundle, recordings, names) for bundle in (old, new))
    n_patients = len(np.unique(recordings.patients))

    def difference(rows: NDArray[np.intp]) -> float:
        return macro_auc(after[rows], positive[rows]) - macro_auc(before[rows], positive[rows])

    comparable = bool(names) and n_patients >= MIN_PATIENTS
    nan = float("nan")
    interval = (
        bootstrap_interval(difference, recordings.patients) if comparable else Interval(nan, nan)
    )
    return Comparison(
        name=name,
        what=what,
        n=len(positive),
        n_patients=n_patients,
        old=macro_auc(before, positive),
        new=macro_auc(after, positive),
        difference=difference(np.arange(len(positive))),
        interval=interval,
        verdict=_verdict(interval),
        per_class={
            key: ClassPair(
                old=auc(before[:, k], positive[:, k]),
                new=auc(after[:, k], positive[:, k]),
                n_positive=int(positive[:, k].sum()),
            )
            for k, key in enumerate(names)
        },
    )


def cannot_tell(recordings: LabelledRecordings, vocabulary: Vocabulary) -> str:
    """Why no bundle can be judged by these recordings, whatever it scores; empty where one can.

    Parameters
    ----------
    recordings, vocabulary
        As for `compare`.
    """
    if not _compared(recordings, vocabulary):
        return f"no statement is carried by {MIN_POSITIVES} and not carried by {MIN_POSITIVES}"
    n_patients = len(np.unique(recordings.patients))
    if n_patients < MIN_PATIENTS:
        which = counted(n_patients, "patient is", "patients are")
        return f"{which} too few, at least {MIN_PATIENTS} are needed"
    return ""


def _compared(recordings: LabelledRecordings, vocabulary: Vocabulary) -> list[int]:
    """Columns of the statements that are frequent enough, groups left out."""
    return [
        k
        for k in np.flatnonzero(measurable(recordings.carried)).tolist()
        if not vocabulary.by_id[recordings.concept_ids[k]].members
    ]


def _verdict(interval: Interval) -> Verdict:
    if not math.isfinite(interval.high):
        return Verdict.UNKNOWN
    return Verdict.WORSE if interval.high < 0 else Verdict.NOT_WORSE


def _scores(
    bundle: Bundle, recordings: LabelledRecordings, concept_ids: Sequence[str]
) -> NDArray[np.float32]:
    if not concept_ids:
        return np.empty((len(recordings.windows), 0), dtype=np.float32)
    # In f32, so that a difference is one of the weights.
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32")
    directions = quantise_directions(np.stack([bundle.direction(key) for key in concept_ids]))
    return score(embed(engine, recordings), directions)
