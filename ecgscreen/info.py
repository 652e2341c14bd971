"""What the commands ``info``, ``labels check`` and ``labels show`` say, as lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from ecgscreen import __version__
from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.diagnoses import Diagnosis, DiagnosisList
from ecgscreen.label_list_file import shipped_lists
from ecgscreen.reports import DiagnosisRow
from ecgscreen.reports.notices import notices
from ecgscreen.vocabulary import Concept, load_vocabulary
from engines.select import ENGINES

_PACKAGES = {
    "openvino": ("openvino",),
    "tensorrt": ("tensorrt", "tensorrt_rtx"),
    "pytorch": ("torch",),
}
"""An engine's runtime: one of these."""

_WITH_ONNX = {
    "tensorrt": "builds f32 only: f16 and bf16 need onnx, not installed",
    "pytorch": "does not run: it needs onnx too, not installed",
}
"""What an engine is without the package onnx, which reads the encoder for it."""


def info_lines(bundle_path: Path) -> Iterator[str]:
    """Version, bundle, engines and lists.

    Raises
    ------
    BundleError
        If the bundle is not whole.
    """
    bundle = load_bundle(bundle_path)
    training = bundle.manifest["training"]
    yield f"ecgscreen {__version__}, not a medical device"
    yield f"bundle   {bundle.name} ({bundle.path})"
    yield f"         SHA-256 {bundle.sha256}"
    yield (
        f"         trained {training['date']} on {training['n_recordings']} recordings of "
        f"{', '.join(training['dataset'])}"
    )
    yield (
        f"         {len(bundle.concepts)} concepts, {len(bundle.seen_concepts)} of them seen in "
        f"training, {len(bundle.operating_points)} with a threshold"
    )
    yield f"         {_percentile_basis(bundle)}"
    for name in ENGINES:
        yield f"engine   {name}: {_engine_state(name)}"
    yield f"lists    {', '.join(shipped_lists())}"


def _engine_state(name: str) -> str:
    there = [package for package in _PACKAGES[name] if find_spec(package) is not None]
    if not there:
        return "not installed"
    if name in _WITH_ONNX and find_spec("onnx") is None:
        return f"{there[0]} is installed, but {_WITH_ONNX[name]}"
    return f"installed ({there[0]})"


def list_lines(
    diagnoses: DiagnosisList, rows: Sequence[DiagnosisRow], bundle: Bundle
) -> Iterator[str]:
    """A line of text for a line of the list: how it was resolved, and its threshold.

    Free text is shown with the known concept of the nearest spelling, since a slip of the pen
    costs a line its threshold. What all reports of the list say, and what its percentiles are
    among, comes last.

    Parameters
    ----------
    diagnoses
        The list.
    rows
        A row a line, with the thresholds of a scan.
    bundle
        What they were resolved with.
    """
    for diagnosis, row in zip(diagnoses.diagnoses, rows, strict=True):
        yield f"{diagnosis.line:>4}  {diagnosis.name}: {_understood(diagnosis)}; {_state(row)}"
    yield ""
    yield from notices(rows)
    yield f"percentiles: {_percentile_basis(bundle)}"


def grouped_lines(
    diagnoses: DiagnosisList, rows: Sequence[DiagnosisRow], bundle: Bundle
) -> Iterator[str]:
    """The list to read: by group, with what the bundle has seen; parameters as `list_lines`."""
    yield from notices(rows)
    yield f"{diagnoses.name}, SHA-256 {diagnoses.sha256}, with {bundle.name}"
    lines = list(zip(diagnoses.diagnoses, rows, strict=True))
    for group in dict.fromkeys(row.group for row in rows):
        yield ""
        if group:
            yield group
        for diagnosis, row in lines:
            if row.group == group:
                yield f"  {diagnosis.name}: {_understood(diagnosis)}; {_state(row)}"


def _understood(diagnosis: Diagnosis) -> str:
    said = _meaning(diagnosis.name, diagnosis.concept_ids, diagnosis.free_texts)
    if not diagnosis.has_counter:
        return said
    against = _meaning("", diagnosis.counter_concept_ids, diagnosis.counter_free_texts)
    return f"{said}; against {against}"


def _meaning(name: str, concept_ids: Sequence[str], free_texts: Sequence[str]) -> str:
    vocabulary = load_vocabulary()
    known = (_known(vocabulary.by_id[each], name) for each in concept_ids)
    free = (
        f"{text!r} as free text (nearest known: {vocabulary.nearest(text, 1)[0].name})"
        for text in free_texts
    )
    return ", ".join((*known, *free))


def _state(row: DiagnosisRow) -> str:
    """Severity, what the score rests on, and the threshold or why there is none."""
    flag = (
        "ranked, not flagged"
        if math.isnan(row.threshold)
        else f"flagged from {row.threshold:.3f} ({row.criterion})"
    )
    said = (row.severity if row.severity != "info" else "", row.source, flag, row.note)
    return "; ".join(each for each in said if each)


def _percentile_basis(bundle: Bundle) -> str:
    reference = bundle.reference
    if reference is None:
        return "no reference population: percentiles are empty"
    population = bundle.manifest["reference"]["population"]
    return f"reference population of {len(reference)}: {population}"


def _known(concept: Concept, line: str) -> str:
    return concept.id if line == concept.name else f"{concept.name} ({concept.id})"
