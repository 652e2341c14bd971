"""The command ``evaluate``: measure a bundle and show the figures. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecgscreen.bundle import Bundle, default_bundle, load_bundle
from ecgscreen.errors import EngineError, UsageError
from ecgscreen.publish import check_file_can_be, check_folder_can_be, publish_json, storing
from ecgscreen.recording import LEADS
from ecgscreen.site_calibration import load_calibration
from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from engines.base import Engine, EngineUnavailableError
from engines.select import load_engine
from trainer.argmax import ArgmaxEvaluation
from trainer.curves import Scored
from trainer.datasets.case import ALL_ANNOTATED, LabelledSet
from trainer.datasets.cinc import cinc_set
from trainer.datasets.ludb import ludb_set
from trainer.datasets.mitbih import mitbih_set
from trainer.datasets.table import table_set
from trainer.evaluate import Evaluation, check_protocol, thresholds_from
from trainer.evaluate_sets import evaluate_ptbxl, evaluate_set, trained_site_folds
from trainer.lead_subset import parse_leads
from trainer.measure_lines import lines_of
from trainer.plots import write_plots
from trainer.splits import parse_folds

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
    _check(request)
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
            console.print(note, highlight=False, markup=False, soft_wrap=True)
    fitted = thresholds_from(bundle, evaluation.folds) if calibration is None else ()
    if fitted:
        console.print(
            f"{bundle.name} took its thresholds from folds {list(fitted)}: no figures at "
            "thresholds there",
            highlight=False,
        )
    if leads != LEADS:
        console.print(f"leads {', '.join(leads)}; the others masked", highlight=False)
    for line in lines_of(evaluation):
        console.print(line, highlight=False, soft_wrap=True)
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


def _check(request: MeasureRequest) -> None:
    """What can be refused before anything is read."""
    check_protocol(request.protocol)
    if request.json_file is not None:
        check_file_can_be(request.json_file, ("task", "protocol", "per_class"))
    if request.plots is not None:
        if request.protocol != "multilabel":
            raise UsageError(
                f"the protocol {request.protocol} has no curves",
                "Leave --plots out, or --protocol.",
            )
        check_folder_can_be(request.plots)
    if missing := [path for path in request.paths if not path.exists()]:
        raise UsageError(f"{missing[0]} does not exist", "Name what is to be measured on.")
    if request.concepts and not request.concepts.strip(", "):
        raise UsageError(
            f"concepts {request.concepts!r} name nothing", "Write them as in AFIB,CLBBB."
        )


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
