"""The command ``evaluate``: measure a bundle and show the figures. Needs no torch."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgscreen.bundle import default_bundle, load_bundle
from ecgscreen.errors import EngineError, UsageError
from ecgscreen.vocabulary import load_vocabulary
from engines.base import EngineUnavailableError
from engines.select import load_engine
from trainer.evaluate import Evaluation, evaluate_ptbxl
from trainer.metrics import Interval
from trainer.splits import parse_folds

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class MeasureRequest:
    """The command line of ``evaluate ptb-xl``; see there."""

    folders: tuple[Path, ...]
    task: str
    folds: str
    json_file: Path | None
    bundle: Path | None
    engine: str
    precision: str


def measure_ptbxl(request: MeasureRequest, console: Console) -> Evaluation:
    """Measure, print a table, write the JSON file.

    Raises
    ------
    UsageError
        If the task, the folds or a folder are not usable.
    EngineError
        If the engine is not to be had.
    """
    vocabulary = load_vocabulary()
    try:
        folds = parse_folds(request.folds)
        vocabulary.task(request.task)
    except ValueError as error:
        raise UsageError(str(error)) from error
    bundle = load_bundle(request.bundle or default_bundle())
    try:
        engine = load_engine(request.engine, bundle.encoder_onnx, precision=request.precision)
    except EngineUnavailableError as error:
        raise EngineError(error.message, error.advice) from error
    evaluation = evaluate_ptbxl(
        bundle, engine, vocabulary, request.folders, task=request.task, folds=folds
    )
    for line in _lines(evaluation):
        console.print(line, highlight=False)
    if request.json_file is not None:
        document = {
            "bundle": bundle.name,
            "bundle_sha256": bundle.sha256,
            "engine": asdict(engine.info),
            **asdict(evaluation),
        }
        request.json_file.write_text(
            json.dumps(_without_nan(document), indent=1) + "\n", encoding="utf-8"
        )
    return evaluation


def _lines(evaluation: Evaluation) -> list[str]:
    lines = [
        f"{evaluation.task}, {evaluation.protocol}: folds {list(evaluation.folds)} of "
        f"{', '.join(evaluation.dataset)}: {evaluation.n} recordings of "
        f"{evaluation.n_patients} patients, {evaluation.n_skipped} not scored",
        f"macro AUC {_figure(evaluation.macro_auc, evaluation.macro_auc_ci)} over "
        f"{evaluation.n_classes} classes",
    ]
    if evaluation.macro_auc_labelled_ci is not None:
        figure = _figure(evaluation.macro_auc_labelled, evaluation.macro_auc_labelled_ci)
        lines.append(f"macro AUC {figure} on the {evaluation.n_labelled} with such a statement")
    if evaluation.n_thresholds:
        lines.append(
            f"at frozen thresholds, {evaluation.n_thresholds} classes: "
            f"accuracy {evaluation.accuracy:.3f}, precision {evaluation.precision:.3f}, "
            f"recall {evaluation.recall:.3f}, F1 {evaluation.f1:.3f}"
        )
    lines.extend(
        f"  {name:<12} AUC {result.auc:.3f}  {result.n_positive} positive"
        for name, result in evaluation.per_class.items()
        if not math.isnan(result.auc)
    )
    return lines


def _figure(value: float, interval: Interval) -> str:
    return f"{value:.3f} (95 % {interval.low:.3f} to {interval.high:.3f})"


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: null says that there is no figure."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
