"""The command ``calibrate``: learn on a site's own recordings. Needs no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen import __version__
from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.diagnoses import Diagnosis, DiagnosisList, load_list
from ecgscreen.errors import CalibrationError, EngineError, UsageError
from ecgscreen.prompts import embed_list
from ecgscreen.publish import JsonValue, check_file_can_be, publish_json, storing
from ecgscreen.scoring import score
from ecgscreen.site_calibration import FORMAT, FORMAT_VERSION
from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from ecgscreen.wording import counted
from engines.base import EngineUnavailableError
from engines.select import load_engine
from trainer.calibrate_diagnosis import CalibratedDiagnosis, LeftOut, calibrate_diagnosis
from trainer.datasets.case import LabelledSet
from trainer.datasets.embedded import EmbeddedSet, embed_set
from trainer.datasets.ptbxl import ptbxl_set
from trainer.datasets.table import table_set
from trainer.evaluate_sets import (
    check_not_trained_on,
    check_not_trained_on_folds,
    trained_site_folds,
)
from trainer.metrics import Interval
from trainer.operating_point import Criterion, parse_criterion
from trainer.reliability import N_BINS, brier_score, calibration_error, calibration_intervals
from trainer.splits import parse_folds

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class CalibrateRequest:
    """The command line of ``calibrate``; see there.

    Attributes
    ----------
    paths
        Folders in PTB-XL's layout, or tables.
    labels
        A list of diagnoses.
    out
        The file to write.
    folds
        Of the folders; empty for tables.
    operating_point
        See `parse_criterion`.
    prevalence
        For predictive values; None prints none.
    bundle, engine, precision
        As the options.
    """

    paths: tuple[Path, ...]
    labels: str
    out: Path
    folds: str
    operating_point: str
    prevalence: float | None
    bundle: Path | None
    engine: str
    precision: str


def calibrate(request: CalibrateRequest, console: Console) -> list[CalibratedDiagnosis]:
    """Learn, print what was learned, write the file.

    Raises
    ------
    UsageError
        If the operating point, the folds, the recordings or the place of the file are not
        usable, or the bundle was trained on them.
    CalibrationError
        If no diagnosis has enough recordings; says how many are missing.
    """
    criterion = parse_criterion(request.operating_point)
    check_file_can_be(request.out, ("format", "operating_point", "diagnoses"))
    diagnoses = load_list(request.labels)
    vocabulary = load_vocabulary()
    bundle = load_bundle(request.bundle or default_bundle())
    labelled, folds = _labelled_set(request, bundle, vocabulary)
    try:
        engine = load_engine(request.engine, bundle.encoder_onnx, precision=request.precision)
    except EngineUnavailableError as error:
        raise EngineError(error.message, error.advice) from error
    embedded = embed_set(engine, labelled, bundle.preprocessing)
    learned, left_out = learn(embedded, diagnoses, bundle, vocabulary, criterion)
    for note in labelled.notes:
        _print(console, note)
    _print(console, f"operating point: {criterion}; {_counts(embedded)}")
    for each in learned:
        for line in _diagnosis_lines(each, request.prevalence):
            _print(console, line)
    for missing in left_out:
        _print(console, f"  {missing.name}: left out, {missing.reason}")
    if not learned:
        raise CalibrationError(
            f"no diagnosis of {diagnoses.name} can be calibrated on these recordings",
            "The lines above say what is missing.",
        )
    document: dict[str, JsonValue] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "ecgscreen": __version__,
        "created": datetime.now(UTC).date().isoformat(),
        "bundle": {"name": bundle.name, "sha256": bundle.sha256},
        "list": {"name": diagnoses.name, "sha256": diagnoses.sha256},
        "engine": asdict(engine.info),
        "dataset": [path.name for path in request.paths],
        "folds": list(folds),
        "n": len(embedded.embeddings),
        "n_patients": len(np.unique(embedded.patients)),
        "n_skipped": len(embedded.skipped),
        "operating_point": str(criterion),
        "pooled": pooled_figures(learned, embedded.patients),
        "diagnoses": [each.to_json() for each in learned],
        "left_out": [asdict(each) for each in left_out],
        "signals": sorted(embedded.fingerprints),
    }
    with storing(request.out):
        publish_json(request.out, document)
        sha256 = hashlib.sha256(request.out.read_bytes()).hexdigest()
    _print(console, f"wrote {request.out}, SHA-256 {sha256}")
    return learned


def learn(
    embedded: EmbeddedSet,
    diagnoses: DiagnosisList,
    bundle: Bundle,
    vocabulary: Vocabulary,
    criterion: Criterion,
) -> tuple[list[CalibratedDiagnosis], list[LeftOut]]:
    """Calibrate each line of a list that the recordings' statements speak of.

    A recording is positive for a line if it carries any of the line's concepts. Lines of the same
    meaning are learned once. Free text has no truth to be held against.

    Parameters
    ----------
    embedded
        The site's recordings.
    diagnoses, bundle, vocabulary
        What they are scored against.
    criterion
        Of the operating points.
    """
    known: list[Diagnosis] = []
    left_out: list[LeftOut] = []
    for diagnosis in diagnoses.diagnoses:
        unknown = [each for each in diagnosis.concept_ids if each not in embedded.concept_ids]
        if diagnosis.free_texts:
            reason = "its words are not all in the vocabulary, so that no statement means them"
        elif diagnosis.has_counter:
            reason = "a calibration is kept by concepts, and its score is against others"
        elif unknown:
            reason = f"nobody wrote of {', '.join(unknown)} in these recordings"
        elif any(set(each.concept_ids) == set(diagnosis.concept_ids) for each in known):
            continue
        else:
            known.append(diagnosis)
            continue
        left_out.append(LeftOut(diagnosis.name, 0, reason))
    if not known:
        return [], left_out
    prompts = embed_list(replace(diagnoses, diagnoses=tuple(known)), bundle, vocabulary)
    scores = score(embedded.embeddings, prompts.directions)
    learned = []
    for diagnosis, column in zip(known, scores.T, strict=True):
        columns = [embedded.concept_ids.index(each) for each in diagnosis.concept_ids]
        positive: NDArray[np.bool_] = embedded.carried[:, columns].max(axis=1)
        found = calibrate_diagnosis(diagnosis, column, positive, embedded.patients, criterion)
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            learned.append(found)
    return learned, left_out


def pooled_figures(
    learned: Sequence[CalibratedDiagnosis], patients: NDArray[np.str_]
) -> dict[str, Any]:
    """Brier score and calibration error over all diagnoses with a probability, cross-fitted."""
    withs = [each for each in learned if each.probability is not None]
    document: dict[str, Any] = {"n_diagnoses": len(withs), "n_bins": N_BINS}
    if withs:
        p = np.concatenate([each.probability.cross_fitted for each in withs if each.probability])
        truth = np.concatenate([each.positive for each in withs])
        brier_ci, error_ci = calibration_intervals(p, truth, np.tile(patients, len(withs)))
        document |= {
            "brier": brier_score(p, truth),
            "brier_ci": asdict(brier_ci),
            "calibration_error": calibration_error(p, truth),
            "calibration_error_ci": asdict(error_ci),
        }
    return document


def _labelled_set(
    request: CalibrateRequest, bundle: Bundle, vocabulary: Vocabulary
) -> tuple[LabelledSet, tuple[int, ...]]:
    are_folders = {path.is_dir() for path in request.paths}
    if len(are_folders) > 1:
        raise UsageError("folders and tables are given together", "Calibrate on one kind.")
    if not are_folders.pop():
        if request.folds:
            raise UsageError("folds are given for a table", "Leave --folds out.")
        trained_folds = trained_site_folds(bundle, request.paths)
        if not trained_folds:
            check_not_trained_on(bundle, [path.name for path in request.paths])
        return table_set(request.paths, vocabulary, trained_folds), ()
    if not request.folds:
        raise UsageError(
            "no folds are given for folders in PTB-XL's layout",
            "Name folds that the bundle was not trained on, such as --folds 9.",
        )
    try:
        folds = parse_folds(request.folds)
    except ValueError as error:
        raise UsageError(str(error)) from error
    check_not_trained_on_folds(bundle, folds)
    return ptbxl_set(request.paths, folds, vocabulary), folds


def _counts(embedded: EmbeddedSet) -> str:
    return (
        f"{counted(len(embedded.embeddings), 'recording')} of "
        f"{counted(len(np.unique(embedded.patients)), 'patient')}, "
        f"{len(embedded.skipped)} not scored"
    )


def _diagnosis_lines(each: CalibratedDiagnosis, prevalence: float | None) -> list[str]:
    rates = each.rates
    lines = [
        f"  {each.name}: {each.n_positive} positive, flagged from {each.threshold:.3f}: "
        f"sensitivity {_figure(rates.sensitivity, rates.sensitivity_ci)}, "
        f"specificity {_figure(rates.specificity, rates.specificity_ci)}",
        "    on other patients, where the threshold may prove too high or too low: "
        f"sensitivity {_range(rates.sensitivity_op_ci)}, "
        f"specificity {_range(rates.specificity_op_ci)}",
    ]
    if prevalence is not None:
        ppv, ppv_ci, npv, npv_ci = rates.predictive_values(prevalence)
        lines.append(
            f"    at a prevalence of {prevalence:.2%}: PPV {_figure(ppv, ppv_ci)}, "
            f"NPV {_figure(npv, npv_ci)}"
        )
    if each.probability is None:
        lines.append("    no probability: positives do not score higher")
    else:
        lines.append(
            f"    probability: Brier score {_figure(each.probability.brier, each.brier_ci)}, "
            f"calibration error "
            f"{_figure(each.probability.calibration_error, each.calibration_error_ci)}"
        )
    return lines


def _figure(value: float, interval: Interval) -> str:
    return f"{value:.3f} (95 % {_range(interval)})"


def _range(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _print(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
