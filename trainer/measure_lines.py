"""Figures as ``evaluate`` shows them in a terminal."""

from __future__ import annotations

import math

from ecgscreen.wording import counted
from trainer.argmax import ArgmaxEvaluation
from trainer.calibration_check import CalibrationCheck
from trainer.evaluate import Evaluation
from trainer.metrics import Interval
from trainer.uniformity import UniformityCheck


def lines_of(evaluation: Evaluation | ArgmaxEvaluation) -> list[str]:
    """The figures with their intervals, then the classes."""
    where = ", ".join(evaluation.dataset)
    if isinstance(evaluation, ArgmaxEvaluation):
        n_classes, more = len(evaluation.classes), _argmax_lines(evaluation)
    else:
        n_classes, more = evaluation.n_classes, _multilabel_lines(evaluation)
    folds = f"folds {list(evaluation.folds)} of " if evaluation.folds else ""
    return [
        f"{evaluation.task}, {evaluation.protocol}: {folds}{where}: "
        f"{counted(evaluation.n, 'case')} of {counted(evaluation.n_patients, 'patient')}, "
        f"{counted(evaluation.n_skipped, 'recording')} not scored",
        f"macro AUC {_figure(evaluation.macro_auc, evaluation.macro_auc_ci)} over "
        f"{counted(n_classes, 'class', 'classes')}",
        *more,
    ]


def _argmax_lines(evaluation: ArgmaxEvaluation) -> list[str]:
    majority = evaluation.baselines["majority class"]
    width = max(6, *(len(name) for name in evaluation.classes))
    lines = [
        f"left out: {counted(evaluation.n_no_class, 'case')} with none of the classes, "
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
            f"F1 {figures.f1:.3f}  AUC {figures.auc:.3f}  {counted(figures.n_patients, 'patient')}"
        )
    return lines


def _multilabel_lines(evaluation: Evaluation) -> list[str]:
    lines = []
    if evaluation.macro_auc_labelled_ci is not None:
        figure = _figure(evaluation.macro_auc_labelled, evaluation.macro_auc_labelled_ci)
        lines.append(f"macro AUC {figure} on the {evaluation.n_labelled} with such a statement")
    if evaluation.f1_ci is not None:
        lines.append(
            f"at frozen thresholds, {counted(evaluation.n_thresholds, 'class', 'classes')}: "
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
        f"probabilities of {where}, {counted(check.n_concepts, 'class', 'classes')}: "
        "calibration error "
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
