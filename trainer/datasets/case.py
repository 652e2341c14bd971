"""What every labelled set consists of, and the way from a file to a case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkippedRecording
from ecgscreen.vocabulary import Concept, Vocabulary
from ecgscreen.wording import counted
from trainer.prepare import prepare_known


@dataclass(frozen=True)
class LabelledFile:
    """A recording and what is known of it besides its signal.

    Attributes
    ----------
    path
        The file that names the recording.
    root
        The folder given; nothing outside it is read.
    patient
        An identifier within the set.
    carried
        Ids of the concepts that the recording carries, broader ones and groups included.
    """

    path: Path
    root: Path
    patient: str
    carried: frozenset[str]


@dataclass(frozen=True)
class Case:
    """What gets one score a class: a whole recording, or a window of a long one.

    Attributes
    ----------
    path
        The file that names the recording.
    windows
        float32, shape (n_windows, 12, n_samples), at least one: as `preprocess` makes them.
    lead_mask
        bool, shape (12,).
    patient
        An identifier within the set.
    carried
        Ids of concepts.
    fingerprint
        `signal_fingerprint` of the recording.
    """

    path: Path
    windows: NDArray[np.float32]
    lead_mask: NDArray[np.bool_]
    patient: str
    carried: frozenset[str]
    fingerprint: str = ""


@dataclass(frozen=True)
class LabelledSet:
    """A set to measure on.

    Attributes
    ----------
    name
        As on the command line: ``mit-bih``.
    annotated
        Ids of the concepts that the set speaks of, in the order of the vocabulary. A case
        without one of these is a negative; of all other concepts nothing is known.
    cases
        Streams the cases, and what could not be prepared, for a bundle's preprocessing;
        each call starts anew, no more than one file is held.
    own_tasks
        Classes (ids) of tasks that are this set's own, by name; the first is the default.
    notes
        What a reader of the figures should know: rows left out, codes not understood.
    held_out_only
        Whether what the bundle was trained on has been left out of the cases already.
    """

    name: str
    annotated: tuple[str, ...]
    cases: Callable[[PreprocessConfig], Iterator[Case | SkippedRecording]]
    own_tasks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    held_out_only: bool = False


ALL_ANNOTATED = "all"
"""The task of all concepts that a set speaks of."""


def classes_of(labelled: LabelledSet, vocabulary: Vocabulary, task: str) -> tuple[Concept, ...]:
    """Classes of a task that a set can speak of.

    Parameters
    ----------
    labelled
        The set.
    vocabulary
        The concepts.
    task
        One of the set's own tasks, a task of the vocabulary, or ``all``.

    Raises
    ------
    UsageError
        If there is no such task, or the set speaks of fewer than two of its classes.
    """
    if task in labelled.own_tasks:
        ids: Iterable[str] = labelled.own_tasks[task]
    elif task == ALL_ANNOTATED:
        ids = labelled.annotated
    else:
        try:
            ids = (concept.id for concept in vocabulary.task(task))
        except ValueError as error:
            known = ", ".join((*labelled.own_tasks, ALL_ANNOTATED))
            raise UsageError(str(error), f"Besides, {labelled.name} has {known}.") from error
    classes = tuple(vocabulary.by_id[key] for key in ids if key in set(labelled.annotated))
    if len(classes) < 2:
        raise UsageError(
            f"{labelled.name} has annotations for {counted(len(classes), 'class', 'classes')} of "
            f"the task {task}, at least 2 are needed",
            f"Give another task, such as {next(iter(labelled.own_tasks), ALL_ANNOTATED)}.",
        )
    return classes


def cases_of_files(
    files: Iterable[LabelledFile], config: PreprocessConfig
) -> Iterator[Case | SkippedRecording]:
    """A case a file: all windows of the recording, as a scan scores it."""
    for file in files:
        found = prepare_known(file.path, file.root, config)
        if isinstance(found, SkippedRecording):
            yield found
            continue
        prepared, fingerprint = found
        yield Case(
            path=file.path,
            windows=prepared.windows,
            lead_mask=prepared.lead_mask,
            patient=file.patient,
            carried=file.carried,
            fingerprint=fingerprint,
        )


def implied(vocabulary: Vocabulary, concept_ids: Iterable[str]) -> frozenset[str]:
    """The concepts themselves, all broader ones, and the groups of statements among them.

    Raises
    ------
    KeyError
        If an id is not in the vocabulary.
    """
    found: set[str] = set()
    for concept_id in concept_ids:
        concept = vocabulary.by_id[concept_id]
        if concept.scp is not None:
            found |= vocabulary.concepts_of([concept.scp])
        else:
            # Only SCP-ECG statements are members of groups.
            found |= {concept_id, *implied(vocabulary, concept.broader)}
    return frozenset(found)


def in_order(vocabulary: Vocabulary, concept_ids: Iterable[str]) -> tuple[str, ...]:
    """The ids in the order of the vocabulary, each once."""
    wanted = set(concept_ids)
    return tuple(concept.id for concept in vocabulary.concepts if concept.id in wanted)
