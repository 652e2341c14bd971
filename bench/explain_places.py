"""How often an explanation names the leads where an infarction is: on real recordings.

    python -m bench.explain_places --bundle runs/final2/sibling ptb-xl ptb-xl-zscored

Where an infarction is, its statement says (anteroseptal, inferior, ...), and so which leads should
be named: of fold 9, one recording a patient, whose infarctions are all in one place. What would be
named without knowing this heart stands beside: the same question about other hearts, and drawing
lots.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.explain import Remembering
from bench.explain_beats import share
from ecgscreen.beats import beat_samples
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.diagnoses import load_words
from ecgscreen.explain.effects import find_effects
from ecgscreen.explain.occlusion import bridged, covers, parts_of_beats
from ecgscreen.prompts import embed_list
from ecgscreen.recording import LEADS, SkippedRecording
from ecgscreen.vocabulary import load_vocabulary
from engines.base import Engine
from engines.select import load_engine
from trainer.datasets.case import Case
from trainer.datasets.ptbxl import ptbxl_set
from trainer.metrics import auc, bootstrap_interval

_FEWEST = 5
WAYS = ("any second", "QRS", "ST-T")


@dataclass(frozen=True)
class Place:
    """Where an infarction is.

    Attributes
    ----------
    statements
        SCP-ECG codes that say so; a recording is here if it has no other infarction or injury.
    leads
        Those that look there (Thygesen et al., Fourth Universal Definition of Myocardial
        Infarction, 2018).
    words
        What is asked.
    """

    statements: frozenset[str]
    leads: tuple[str, ...]
    words: str


PLACES: Mapping[str, Place] = {
    "anterior": Place(
        frozenset({"AMI", "ASMI"}),
        ("V1", "V2", "V3", "V4"),
        "anteroseptal myocardial infarction",
    ),
    "anterolateral": Place(
        frozenset({"ALMI"}),
        ("I", "aVL", "V3", "V4", "V5", "V6"),
        "anterolateral myocardial infarction",
    ),
    "inferior": Place(frozenset({"IMI"}), ("II", "III", "aVF"), "inferior myocardial infarction"),
    "inferolateral": Place(
        frozenset({"ILMI"}),
        ("I", "II", "III", "aVL", "aVF", "V5", "V6"),
        "inferolateral myocardial infarction",
    ),
}
NORMAL = "normal"
BROAD = "myocardial infarction"


@dataclass(frozen=True, eq=False)
class Asked:
    """One question about one recording.

    Attributes
    ----------
    patient, place
        Of the recording.
    words
        The question.
    flagged
        Whether the bundle would flag it; never without a threshold.
    values
        float64, shape (3, 12): what each lead gives, by each of `WAYS`; NaN if nobody looked.
    """

    patient: str
    place: str
    words: str
    flagged: bool
    values: NDArray[np.float64]


def main() -> None:
    """Print a table a place."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=[9])
    parser.add_argument("--normal", type=int, default=30, help="Normal recordings beside.")
    parser.add_argument(
        "--seconds", type=int, default=0, help="Of each place, recordings to cover in time, too."
    )
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32", threads=1)
    print(f"bundle {bundle.sha256[:12]}")
    cases = _infarctions(bundle, arguments.folders, arguments.folds, arguments.normal)
    asked: list[Asked] = []
    left = dict.fromkeys((*PLACES, NORMAL), arguments.seconds)
    for case, place in cases:
        left[place] -= 1
        asked.extend(_ask(bundle, engine, case, place, seconds=left[place] >= 0))
    _leads_table(asked)


def place_of(carried: frozenset[str], infarctions: frozenset[str]) -> str | None:
    """The one place of a recording's infarctions, `NORMAL`, or None of neither."""
    found = carried & infarctions
    if not found:
        return NORMAL if "NORM" in carried else None
    places = [name for name, place in PLACES.items() if found <= place.statements]
    return places[0] if places else None


def _infarctions(
    bundle: Bundle, folders: Sequence[Path], folds: Sequence[int], n_normal: int
) -> list[tuple[Case, str]]:
    vocabulary = load_vocabulary()
    infarctions = frozenset(
        concept.id
        for concept in vocabulary.concepts
        if concept.scp is not None and "MI" in vocabulary.concepts_of([concept.scp])
    )
    found: list[tuple[Case, str]] = []
    patients: set[str] = set()
    n_left = n_normal
    for case in ptbxl_set(folders, folds, vocabulary).cases(bundle.preprocessing):
        if isinstance(case, SkippedRecording) or case.patient in patients:
            continue
        place = place_of(case.carried, infarctions)
        if place is None or (place == NORMAL and not n_left):
            continue
        n_left -= place == NORMAL
        patients.add(case.patient)
        found.append((case, place))
    return found


def _ask(
    bundle: Bundle, engine: Engine, case: Case, place: str, *, seconds: bool
) -> Iterator[Asked]:
    """Every question about a recording, its covers embedded once."""
    config = bundle.preprocessing
    remembering = Remembering(engine)
    window, mask = case.windows[0], case.lead_mask
    for words in (*(each.words for each in PLACES.values()), BROAD):
        prompts = embed_list(load_words(words), bundle, load_vocabulary())
        direction = prompts.directions[0]
        values = np.full((len(WAYS), len(LEADS)), np.nan)
        if seconds:
            effects = find_effects(
                *(window, mask, direction, remembering, config.sampling_rate, config.n_samples)
            )
            values[0, mask], score = effects.lead_effects, effects.score
            values[1:, mask] = effects.parts.T[1:]
        else:
            score, parts = part_effects(window, mask, direction, remembering, config.sampling_rate)
            values[1:, mask] = parts.T[1:]
        remembering.again()
        threshold = prompts.rows[0].threshold
        yield Asked(case.patient, place, words, bool(score >= threshold), values)


def part_effects(
    window: NDArray[np.float32],
    lead_mask: NDArray[np.bool_],
    direction: NDArray[np.float64],
    engine: Engine,
    sampling_rate: float,
) -> tuple[float, NDArray[np.float64]]:
    """The score and `Effects.parts`, float64, shape (L, 3), without anything else."""
    leads = np.flatnonzero(lead_mask)
    rows = parts_of_beats(beat_samples(window, sampling_rate), window.shape[1], sampling_rate)
    masks = [np.zeros(window.shape, np.bool_), *covers(rows, leads, len(lead_mask))]
    windows = np.stack([bridged(window, mask) for mask in masks])
    known = np.broadcast_to(lead_mask, (len(windows), len(lead_mask)))
    scores = engine.embed(windows, known).astype(np.float64) @ direction
    return float(scores[0]), (scores[0] - scores[1:]).reshape(len(leads), len(rows))


def _leads_table(asked: Sequence[Asked]) -> None:
    for name, place in PLACES.items():
        n = len({each.patient for each in asked if each.place == name})
        if n < _FEWEST:
            print(f"\n{name}: {n} of these recordings, too few to tell")
            continue
        others = {
            "other infarctions": {other for other in PLACES if other != name},
            "normal ECGs": {NORMAL},
        }
        leads = [LEADS.index(lead) for lead in place.leads]
        print(
            f"\n| {name}: {', '.join(place.leads)} ({len(leads)} of 12: by lot "
            f"{len(leads) / len(LEADS):.2f}) | n | {' | '.join(WAYS[1:])} | AUC of the leads, "
            f"{' | '.join(WAYS[1:])} | n | {WAYS[0]} | AUC |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for words in (place.words, BROAD):
            about = [each for each in asked if each.words == words]
            groups = {
                "own": [each for each in about if each.place == name],
                "own, flagged": [e for e in about if e.place == name and e.flagged],
                **{
                    label: [each for each in about if each.place in places]
                    for label, places in others.items()
                },
            }
            for label, group in groups.items():
                if group:
                    print(f"| {words}: {label} | {len(group)} | {_cells(group, leads)} |")


def _cells(group: Sequence[Asked], leads: Sequence[int]) -> str:
    parts = [_named(group, way, leads) for way in (1, 2)]
    looked = [each for each in group if not np.isnan(each.values[0]).all()]
    seconds = _named(looked, 0, leads) if looked else ("", "")
    cells = [part[0] for part in parts] + [part[1] for part in parts]
    return " | ".join([*cells, str(len(looked)), *seconds])


def _named(group: Sequence[Asked], way: int, leads: Sequence[int]) -> tuple[str, str]:
    """How often the first lead is one of these, and the mean AUC of these among all."""
    values = np.stack([np.nan_to_num(each.values[way], nan=-np.inf) for each in group])
    patients = np.array([each.patient for each in group])
    inside = np.isin(np.arange(len(LEADS)), leads)
    told = np.array([auc(each, inside) for each in values])
    spread = bootstrap_interval(lambda drawn: float(told[drawn].mean()), patients)
    first = np.isin(values.argmax(axis=1), leads)
    return share(first, patients), f"{told.mean():.2f} ({spread.low:.2f} to {spread.high:.2f})"


if __name__ == "__main__":
    main()
