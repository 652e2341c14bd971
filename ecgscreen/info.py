"""What the commands ``info`` and ``labels check`` say, as lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ecgscreen import __version__
from ecgscreen.bundle import load_bundle
from ecgscreen.diagnoses import DiagnosisList
from ecgscreen.label_list_file import shipped_lists
from ecgscreen.prompts import Prompts
from ecgscreen.vocabulary import Concept, load_vocabulary
from engines.select import ENGINES

_PACKAGES = {
    "openvino": ("openvino",),
    "tensorrt": ("tensorrt", "tensorrt_rtx"),
    "pytorch": ("torch",),
}


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
    reference = bundle.reference
    yield (
        "         no reference population: percentiles are empty"
        if reference is None
        else f"         reference population of {len(reference)}: "
        f"{bundle.manifest['reference']['population']}"
    )
    for name in ENGINES:
        there = [package for package in _PACKAGES[name] if find_spec(package) is not None]
        yield f"engine   {name}: {f'installed ({there[0]})' if there else 'not installed'}"
    yield f"lists    {', '.join(shipped_lists())}"


def list_lines(diagnoses: DiagnosisList, prompts: Prompts) -> Iterator[str]:
    """A line of text for a line of the list: how it was resolved, and its threshold.

    Free text is shown with the known concept of the nearest spelling, since a slip of the pen
    costs a line its threshold.
    """
    vocabulary = load_vocabulary()
    for diagnosis, row in zip(diagnoses.diagnoses, prompts.rows, strict=True):
        known = (_known(vocabulary.by_id[each], diagnosis.name) for each in diagnosis.concept_ids)
        free = (
            f"{text!r} as free text (nearest known: {vocabulary.nearest(text, 1)[0].name})"
            for text in diagnosis.free_texts
        )
        concepts = ", ".join((*known, *free))
        flag = (
            "ranked, not flagged"
            if math.isnan(row.threshold)
            else f"flagged from {row.threshold:.3f}"
        )
        yield f"{diagnosis.line:>4}  {diagnosis.name}: {concepts}; {row.source}; {flag}"


def _known(concept: Concept, line: str) -> str:
    return concept.id if line == concept.name else f"{concept.name} ({concept.id})"
