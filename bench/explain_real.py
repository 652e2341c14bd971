"""How often an explanation finds the place that is known: on real recordings.

    python -m bench.explain_real --bundle runs/final2/sibling --mit-bih mitdb \
        ptb-xl ptb-xl-zscored

Where an infarction is, its statement says (anteroseptal, inferior, ...), and so which leads should
be named: of fold 9, one recording a patient, whose infarctions are all in one place. When a
premature beat comes, MIT-BIH's annotations say: windows of ten seconds with exactly one ventricular
beat. What would be named without knowing this heart stands beside: the same question about other
hearts, and drawing lots.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.explain import NEAR_S, PVC_WORDS, Remembering, is_found
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.diagnoses import load_words
from ecgscreen.discover import Discovery
from ecgscreen.explain.effects import STEP_S, find_effects
from ecgscreen.prompts import embed_list
from ecgscreen.readers.wfdb_header import read_header
from ecgscreen.recording import LEADS, SkippedRecording
from ecgscreen.vocabulary import load_vocabulary
from engines.base import Engine
from engines.select import load_engine
from trainer.datasets.case import Case
from trainer.datasets.mitbih import SAME_PATIENT, read_annotations
from trainer.datasets.ptbxl import ptbxl_set
from trainer.exact import effective_number, rate_interval
from trainer.metrics import auc, bootstrap_interval
from trainer.operating_point import resampled_sums
from trainer.prepare import prepare_known

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
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
        Whether the bundle would flag it; None without a threshold.
    values
        float64, shape (3, 12): what each lead gives, by each of `WAYS`.
    """

    patient: str
    place: str
    words: str
    flagged: bool | None
    values: NDArray[np.float64]


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--mit-bih", type=Path, required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=[9])
    parser.add_argument("--normal", type=int, default=30, help="Normal recordings beside.")
    parser.add_argument("--windows", type=int, default=10, help="Of a patient, with one beat.")
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32", threads=1)
    print(f"bundle {bundle.sha256[:12]}")
    _premature_beats(bundle, engine, arguments.mit_bih, arguments.windows)
    cases = _infarctions(bundle, arguments.folders, arguments.folds, arguments.normal)
    asked = [each for case, place in cases for each in _ask(bundle, engine, case, place)]
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


def _ask(bundle: Bundle, engine: Engine, case: Case, place: str) -> Iterator[Asked]:
    """Every question about a recording, its covers embedded once."""
    remembering = Remembering(engine)
    config = bundle.preprocessing
    for words in (*(each.words for each in PLACES.values()), BROAD):
        prompts = embed_list(load_words(words), bundle, load_vocabulary())
        effects = find_effects(
            *(case.windows[0], case.lead_mask, prompts.directions[0], remembering),
            *(config.sampling_rate, config.n_samples),
        )
        remembering.again()
        values = np.full((len(WAYS), len(LEADS)), -np.inf)
        columns = [LEADS.index(lead) for lead in effects.leads]
        values[:, columns] = [effects.lead_effects, effects.parts[:, 1], effects.parts[:, 2]]
        threshold = prompts.rows[0].threshold
        flagged = None if threshold is None else effects.score >= threshold
        yield Asked(case.patient, place, words, flagged, values)


def _leads_table(asked: Sequence[Asked]) -> None:
    for name, place in PLACES.items():
        others = {
            "other infarctions": {other for other in PLACES if other != name},
            "normal ECGs": {NORMAL},
        }
        leads = [LEADS.index(lead) for lead in place.leads]
        print(
            f"\n| {name}: {', '.join(place.leads)} ({len(leads)} of 12: by lot "
            f"{len(leads) / len(LEADS):.2f}) | n | {' | '.join(WAYS)} | AUC of the leads, any "
            "second |"
        )
        print("|---|---|---|---|---|---|")
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
    values = np.stack([each.values for each in group])
    first = np.isin(values.argmax(axis=2), leads)
    inside = np.isin(np.arange(len(LEADS)), leads)
    told = np.array([auc(each[0], inside) for each in values])
    patients = np.array([each.patient for each in group])
    spread = bootstrap_interval(lambda drawn: float(told[drawn].mean()), patients)
    shares = [_share(first[:, way], patients) for way in range(len(WAYS))]
    return " | ".join([*shares, f"{told.mean():.2f} ({spread.low:.2f} to {spread.high:.2f})"])


def _share(found: NDArray[np.bool_], patients: NDArray[np.str_]) -> str:
    """A share with its interval over patients."""
    rate = float(found.mean())
    sums = resampled_sums(np.stack([found, np.ones(len(found))], axis=1).astype(float), patients)
    n = effective_number(rate, float(np.var(sums[:, 0] / sums[:, 1])), patients)
    interval = rate_interval(rate * n, n)
    return f"{rate:.2f} ({interval.low:.2f} to {interval.high:.2f})"


@dataclass(frozen=True)
class Beat:
    """What explain says of a window with one premature beat.

    Attributes
    ----------
    patient
        Of the record.
    flagged
        Whether the bundle would flag the window.
    found
        Whether the stretch that gives most lies at the beat.
    by_lot
        How often any stretch would.
    by_beat
        How often any beat of the window would be the one.
    at_a_beat
        Whether the stretch lies at some beat.
    """

    patient: str
    flagged: bool | None
    found: bool
    by_lot: float
    by_beat: float
    at_a_beat: bool


def _premature_beats(bundle: Bundle, engine: Engine, folder: Path, most: int) -> None:
    prompts = embed_list(load_words(PVC_WORDS), bundle, load_vocabulary())
    beats: list[Beat] = []
    for found in Discovery([folder]):
        known = prepare_known(found.path, found.root, bundle.preprocessing)
        if isinstance(known, SkippedRecording) or not found.path.with_suffix(".atr").is_file():
            continue
        prepared, _ = known
        rate = read_header(found.path, found.root).sampling_rate
        annotations = read_annotations(found.path, found.root, rate)
        symbols = np.array(annotations.symbols)
        is_beat = np.isin(symbols, list(BEATS))
        length = bundle.preprocessing.window_s
        single: list[tuple[int, float, NDArray[np.float64]]] = []
        for number, start in enumerate(prepared.starts_s.tolist()):
            inside = (annotations.times_s >= start) & (annotations.times_s < start + length)
            times = annotations.times_s[inside & is_beat] - start
            kinds = symbols[inside & is_beat]
            # No other that a reader could take for one: paced, aberrant, fusion, escape.
            if (kinds == "V").sum() == 1 and set(kinds) <= set("NLRVAJj"):
                single.append((number, float(times[kinds == "V"][0]), times))
        chosen = np.unique(np.linspace(0, len(single) - 1, most).round().astype(int))
        for number, time, times in (single[k] for k in chosen if single):
            effects = find_effects(
                *(prepared.windows[number], prepared.lead_mask, prompts.directions[0], engine),
                *(bundle.preprocessing.sampling_rate, bundle.preprocessing.n_samples),
            )
            threshold = prompts.rows[0].threshold
            middles = effects.starts_s + STEP_S / 2
            beats.append(
                Beat(
                    patient=SAME_PATIENT.get(found.path.stem, found.path.stem),
                    flagged=None if threshold is None else effects.score >= threshold,
                    found=is_found(effects, time),
                    by_lot=float((np.abs(middles - time) <= NEAR_S).mean()),
                    by_beat=float((np.abs(times - time) <= NEAR_S).mean()),
                    at_a_beat=any(is_found(effects, each) for each in times.tolist()),
                )
            )
    _beats_table(beats)


def _beats_table(beats: Sequence[Beat]) -> None:
    print(
        "\n| a single ventricular beat in two leads | windows, patients | found | by lot | "
        "any beat | at some beat |"
    )
    print("|---|---|---|---|---|---|")
    for name, group in (
        ("all", beats),
        ("flagged", [beat for beat in beats if beat.flagged]),
        ("not flagged", [beat for beat in beats if beat.flagged is False]),
    ):
        if not group:
            continue
        patients = np.array([beat.patient for beat in group])
        print(
            f"| {name} | {len(group)}, {len(set(patients.tolist()))} | "
            f"{_share(np.array([beat.found for beat in group]), patients)} | "
            f"{np.mean([beat.by_lot for beat in group]):.2f} | "
            f"{np.mean([beat.by_beat for beat in group]):.2f} | "
            f"{_share(np.array([beat.at_a_beat for beat in group]), patients)} |",
            flush=True,
        )
    for patient in sorted({beat.patient for beat in beats}):
        own = [beat for beat in beats if beat.patient == patient]
        print(f"{patient}: {sum(beat.found for beat in own)} of {len(own)}", end="; ")
    print(flush=True)


if __name__ == "__main__":
    main()
