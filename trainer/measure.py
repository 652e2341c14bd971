"""The command ``evaluate``: measure a bundle and show the figures. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.errors import EngineError, UsageError
from ecgscreen.publish import check_file_can_be, publish_json, storing
from ecgscreen.recording import LEADS
from ecgscreen.site_calibration import load_calibration
from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from engines.base import Engine, EngineUnavailableError
from engines.select import load_engine
from trainer.argmax import ArgmaxEvaluation
from trainer.calibration_check import CalibrationCheck
from trainer.curves import Scored
from trainer.datasets.case import ALL_ANNOTATED, LabelledSet
from trainer.datasets.cinc import cinc_set
from trainer.datasets.ludb import ludb_set
from trainer.datasets.mitbih import mitbih_set
from trainer.datasets.table import table_set
from trainer.evaluate import Evaluation, check_protocol, thresholds_from
from trainer.evaluate_sets import evaluate_ptbxl, evaluate_set, trained_site_folds
from trainer.lead_subset import parse_leads
from trainer.metrics import Interval
from trainer.plots import write_plots
from trainer.splits import parse_folds
from trainer.uniformity import UniformityCheck

if TYPE_CHECKING:
    from rich.console import Console


SETS: Mapping[str, Callable[[Sequence[Path], Vocabulary, Bundle], LabelledSet]] = {
    "mit-bih": lambda paths, vocabulary, _: mitbih_set(paths, vocabulary),
    "ludb": lambda paths, vocabulary, _: ludb_set(paths, vocabulary),
    "cinc": lambda paths, vocabulary, bundle: cinc_set(
        paths, vocabulary, bundle.manifest["training"]["dataset"]
    ),
    "table": lambda paths, vocabulary, bundle: table_set(
        paths, vocabulary, trained_site_folds(bundle, paths)
    ),
}
"""The sets besides PTB-XL that ``evaluate`` knows."""


@dataclass(frozen=True)
class MeasureRequest:
    """The command line of ``evaluate``; see there.

    Attributes
    ----------
    dataset
        ``ptb-xl`` or one of `SETS`.
    paths
        Folders, or tables.
    task
        None: the set's own; of PTB-XL the superclasses.
    protocol
        ``multilabel`` or ``argmax``.
    folds
        Of PTB-XL only.
    json_file, bundle, engine, precision
        As the options.
    leads
        Such as ``I,II``: the others are masked; empty for all.
    concepts
        Such as ``AFIB,CLBBB``: these instead of a task.
    calibration
        A file of ``calibrate``, used instead of the bundle's thresholds.
    plots
        A folder for curves and reliability, of the protocol ``multilabel``.
    """

    dataset: str
    paths: tuple[Path, ...]
    task: str | None
    protocol: str
    json_file: Path | None
    bundle: Path | None
    engine: str
    precision: str
    folds: str = ""
    leads: str = ""
    concepts: str = ""
    calibration: Path | None = None
    plots: Path | None = None


def measure(request: MeasureRequest, console: Console) -> Evaluation | ArgmaxEvaluation:
    """Measure, print a table, write the JSON file.

    Raises
    ------
    UsageError
        If the protocol, the task, the folds, the leads, a folder or the place of the JSON file
        are not usable.
    EngineError
        If the engine is not to be had.
    """
    check_protocol(request.protocol)
    if request.json_file is not None:
        check_file_can_be(request.json_file, ("task", "protocol", "per_class"))
    if request.plots is not None:
        _check_plots(request.plots, request.protocol)
    leads = parse_leads(request.leads)
    concepts = tuple(filter(None, (word.strip() for word in request.concepts.split(","))))
    vocabulary = load_vocabulary()
    bundle = load_bundle(request.bundle or default_bundle())
    path = request.calibration
    calibration = None if path is None else load_calibration(path, bundle)
    scored: list[Scored] = []
    if request.dataset == "ptb-xl":
        folds = _folds(request)
        _check_task(request.task, vocabulary)
        engine = _load_engine(request, bundle)
        evaluation = evaluate_ptbxl(
            bundle,
            engine,
            vocabulary,
            request.paths,
            task=request.task,
            folds=folds,
            protocol=request.protocol,
            leads=leads,
            concepts=concepts,
            calibration=calibration,
            on_scores=scored.append,
        )
    else:
        labelled = SETS[request.dataset](request.paths, vocabulary, bundle)
        engine = _load_engine(request, bundle)
        evaluation = evaluate_set(
            bundle,
            engine,
            vocabulary,
            labelled,
            task=request.task,
            protocol=request.protocol,
            dataset=tuple(path.name for path in request.paths),
            leads=leads,
            concepts=concepts,
            calibration=calibration,
            on_scores=scored.append,
        )
        for note in labelled.notes:
            console.print(note, highlight=False)
    fitted = thresholds_from(bundle, evaluation.folds) if calibration is None else ()
    if fitted:
        console.print(
            f"{bundle.name} took its thresholds from folds {list(fitted)}: no figures at "
            "thresholds there",
            highlight=False,
        )
    if leads != LEADS:
        console.print(f"leads {', '.join(leads)}; the others masked", highlight=False)
    for line in _lines(evaluation):
        console.print(line, highlight=False)
    if request.plots is not None:
        about = f"{evaluation.task}, {', '.join(evaluation.dataset)}, {evaluation.n} cases"
        for path in write_plots(request.plots, scored[0], about):
            console.print(f"drawn: {path}", highlight=False)
    if request.json_file is not None:
        document = {
            "bundle": bundle.name,
            "bundle_sha256": bundle.sha256,
            "engine": asdict(engine.info),
            "leads": leads,
            **asdict(evaluation),
        }
        with storing(request.json_file):
            publish_json(request.json_file, document)
    return evaluation


def _check_plots(folder: Path, protocol: str) -> None:
    if protocol != "multilabel":
        raise UsageError(
            f"the protocol {protocol} has no curves", "leave --plots out, or --protocol"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "name one; it is made if it is not there")


def _folds(request: MeasureRequest) -> tuple[int, ...]:
    try:
        return parse_folds(request.folds)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check_task(task: str | None, vocabulary: Vocabulary) -> None:
    """A misspelt task is a matter of a moment, reading a folder is not."""
    if task not in (None, ALL_ANNOTATED):
        try:
            vocabulary.task(task)
        except ValueError as error:
            raise UsageError(str(error)) from error


def _load_engine(request: MeasureRequest, bundle: Bundle) -> Engine:
    try:
        return load_engine(request.engine, bundle.encoder_onnx, precision=request.precision)
    except EngineUnavailableError as error:
        raise EngineError(error.message, error.advice) from error


def _lines(evaluation: Evaluation | ArgmaxEvaluation) -> list[str]:
    where = ", ".join(evaluation.dataset)
    if isinstance(evaluation, ArgmaxEvaluation):
        n_classes, more = len(evaluation.classes), _argmax_lines(evaluation)
    else:
        n_classes, more = evaluation.n_classes, _multilabel_lines(evaluation)
    folds = f"folds {list(evaluation.folds)} of " if evaluation.folds else ""
    return [
        f"{evaluation.task}, {evaluation.protocol}: {folds}{where}: {evaluation.n} cases of "
        f"{evaluation.n_patients} patients, {evaluation.n_skipped} recordings not scored",
        f"macro AUC {_figure(evaluation.macro_auc, evaluation.macro_auc_ci)} over "
        f"{n_classes} classes",
        *more,
    ]


def _argmax_lines(evaluation: ArgmaxEvaluation) -> list[str]:
    majority = evaluation.baselines["majority class"]
    width = max(6, *(len(name) for name in evaluation.classes))
    lines = [
        f"left out: {evaluation.n_no_class} cases with none of the classes, "
        f"{evaluation.n_several} with several, {evaluation.n_rare} of rare classes",
        f"accuracy {_figure(evaluation.accuracy, evaluation.accuracy_ci)}",
        f"precision {_figure(evaluation.precision, evaluation.precision_ci)}",
        f"recall {_figure(evaluation.recall, evaluation.recall_ci)}",
        f"F1 {_figure(evaluation.f1, evaluation.f1_ci)}",
        f"always the most frequent class: accuracy {majority.accuracy:.3f}, F1 {majority.f1:.3f}",
        f"  {'':<{width}} {' '.join(f'{name:>{width}}' for name in evaluation.classes)}"
        "   <- nearest prompt",
    ]
    for name, row in zip(evaluation.classes, evaluation.confusion, strict=True):
        figures = evaluation.per_class[name]
        lines.append(
            f"  {name:<{width}} {' '.join(f'{count:>{width}}' for count in row)}   "
            f"F1 {figures.f1:.3f}  AUC {figures.auc:.3f}  {figures.n_patients} patients"
        )
    return lines


def _multilabel_lines(evaluation: Evaluation) -> list[str]:
    lines = []
    if evaluation.macro_auc_labelled_ci is not None:
        figure = _figure(evaluation.macro_auc_labelled, evaluation.macro_auc_labelled_ci)
        lines.append(f"macro AUC {figure} on the {evaluation.n_labelled} with such a statement")
    if evaluation.f1_ci is not None:
        lines.append(
            f"at frozen thresholds, {evaluation.n_thresholds} classes: "
            f"accuracy {evaluation.accuracy:.3f}, precision {evaluation.precision:.3f}, "
            f"recall {evaluation.recall:.3f}, F1 {_figure(evaluation.f1, evaluation.f1_ci)}"
        )
    lines.extend(_calibration_lines(evaluation.calibration))
    lines.extend(_percentile_lines(evaluation.percentiles))
    lines.extend(
        f"  {name:<12} AUC {result.auc:.3f}  {result.n_positive} positive"
        for name, result in evaluation.per_class.items()
        if not math.isnan(result.auc)
    )
    return lines


def _calibration_lines(check: CalibrationCheck) -> list[str]:
    if check.calibration_error_ci is None or check.brier_ci is None:
        return []
    where = f"{check.source} ({check.sha256[:12]})" if check.sha256 else "the bundle"
    lines = [
        f"probabilities of {where}, {check.n_concepts} classes: calibration error "
        f"{_figure(check.calibration_error, check.calibration_error_ci)}, Brier score "
        f"{_figure(check.brier, check.brier_ci)}"
    ]
    for name, each in check.per_concept.items():
        if each.sensitivity_op_ci is not None and each.specificity_op_ci is not None:
            lines.append(
                f"  {name:<12} {each.criterion}, the threshold as uncertain as it is: "
                f"sensitivity {_figure(each.sensitivity, each.sensitivity_op_ci)}, "
                f"specificity {_figure(each.specificity, each.specificity_op_ci)}"
            )
    return lines


def _percentile_lines(check: UniformityCheck | None) -> list[str]:
    if check is None:
        return []
    name, worst = max(check.per_concept.items(), key=lambda item: item[1].ks)
    return [
        f"percentiles among {check.n_reference} recordings of reference: distance from uniform "
        f"(Kolmogorov-Smirnov) {check.median:.3f} in the median, largest "
        f"{_figure(worst.ks, worst.ks_ci)} of {name}; up to {check.by_chance:.3f} by chance"
    ]


def _figure(value: float, interval: Interval) -> str:
    return f"{value:.3f} (95 % {interval.low:.3f} to {interval.high:.3f})"
