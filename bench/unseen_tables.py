"""Figures of diagnoses that one model has not seen, beside a model that has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.feature_figures import STATEMENT_TASKS
from bench.paper_cells import TEST_FOLD, VALIDATION_FOLD
from bench.prompted import Asked, Figure, columns_of, directions, embeddings, macro_figure, markdown
from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.scoring import score
from ecgscreen.vocabulary import Vocabulary
from trainer.data import LabelledRecordings, select
from trainer.evaluate_sets import check_not_trained_on_folds
from trainer.metrics import MIN_POSITIVES, measurable
from trainer.splits import rows_of_folds

_FOLDS = ((VALIDATION_FOLD,), (TEST_FOLD,), (VALIDATION_FOLD, TEST_FOLD))

_Scores = Mapping[Asked, NDArray[np.float32]]
"""Shape (N, K); all but the concepts that are asked for as in a scan."""


@dataclass(frozen=True)
class _Line:
    """A line of a table: concepts whose AUCs are averaged, and how they are asked for."""

    label: str
    concept_ids: tuple[str, ...]
    asked: Asked = Asked.BUNDLE
    of_one: bool = False


def tables(
    unseen: Bundle,
    seen: Bundle | None,
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    concept_ids: Sequence[str],
    *,
    replicates: int = 1000,
) -> str:
    """Figures on fold 8, on fold 9 and on both, as Markdown.

    Parameters
    ----------
    unseen
        Has not seen ``concept_ids``.
    seen
        Has; or nothing to stand beside.
    recordings
        With all that they carry, of folds 8 and 9 at least.
    vocabulary
        Gives names and tasks.
    concept_ids
        That are asked for.
    replicates
        Of the bootstrap over patients.

    Raises
    ------
    UsageError
        If the first bundle has seen one of them, or one was trained on fold 8 or 9.
    """
    if known := sorted(set(concept_ids) & set(unseen.seen_concepts)):
        raise UsageError(
            f"{unseen.path} was trained on {', '.join(known)}", "Train one without them."
        )
    bundles = {"unseen": unseen} | ({"seen": seen} if seen else {})
    for bundle in bundles.values():
        check_not_trained_on_folds(bundle, _FOLDS[-1])
    measured = select(recordings, rows_of_folds(recordings.folds, _FOLDS[-1]))
    scores = {
        name: _scores(bundle, measured, vocabulary, concept_ids) for name, bundle in bundles.items()
    }
    both = set.intersection(*(set(bundle.seen_concepts) for bundle in bundles.values()))
    epochs = unseen.manifest["training"]["config"]["epochs"]
    parts = [
        "# Diagnoses that the model was trained without",
        f"Trained on folds 1-7 for {epochs} epochs. unseen: without "
        f"{', '.join(concept_ids)} and the groups that stand for them. seen: with them"
        + (f", bundle {seen.name}. " if seen else " (not given). ")
        + "AUC with 95 % intervals by bootstrap over patients, differences on the same patients. "
        f"Means are over what has at least {MIN_POSITIVES} positives and negatives. Asked by the "
        "name alone, by all wordings of the vocabulary, and as a scan asks: of an unseen concept "
        "by the signs that describe it too (`Concept.signs`).",
    ]
    for folds in _FOLDS:
        rows = rows_of_folds(measured.folds, folds)
        part = select(measured, rows)
        lines = _lines(part, vocabulary, concept_ids, both)
        figures = {
            name: [_figure(line, own, rows, part, replicates) for line in lines]
            for name, own in scores.items()
        }
        title = " and ".join(map(str, folds))
        parts += [
            f"## Fold{'s' if len(folds) > 1 else ''} {title}: {len(rows)} recordings",
            _table(lines, figures, part),
        ]
    return "\n\n".join(parts) + "\n"


def _lines(
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    concept_ids: Sequence[str],
    both: set[str],
) -> list[_Line]:
    enough = set(np.array(recordings.concept_ids)[measurable(recordings.carried)].tolist())
    counted = tuple(key for key in concept_ids if key in enough)

    def of_tasks(*tasks: str) -> tuple[str, ...]:
        ids = (concept.id for task in tasks for concept in vocabulary.task(task))
        return tuple(dict.fromkeys(key for key in ids if key in enough & both))

    return [
        *(
            _Line(vocabulary.by_id[key].name, (key,), asked, of_one=True)
            for key in concept_ids
            for asked in Asked
        ),
        *(_Line("mean", counted, asked) for asked in Asked),
        _Line("superclass", of_tasks("superclass")),
        _Line("statements seen by all", of_tasks(*STATEMENT_TASKS)),
    ]


def _scores(
    bundle: Bundle,
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    concept_ids: Sequence[str],
) -> _Scores:
    embedded = embeddings(bundle, recordings)
    own = score(embedded, directions(bundle, vocabulary, recordings.concept_ids))
    found = {Asked.BUNDLE: own}
    columns = columns_of(recordings, concept_ids)
    for asked in (Asked.NAME, Asked.WORDINGS):
        found[asked] = own.copy()
        found[asked][:, columns] = score(
            embedded, directions(bundle, vocabulary, concept_ids, asked)
        )
    return found


def _figure(
    line: _Line,
    scores: _Scores,
    rows: NDArray[np.intp],
    recordings: LabelledRecordings,
    replicates: int,
) -> Figure:
    columns = columns_of(recordings, line.concept_ids)
    return macro_figure(
        scores[line.asked][np.ix_(rows, columns)],
        recordings.carried[:, columns],
        recordings.patients,
        replicates=replicates,
    )


def _table(
    lines: Sequence[_Line],
    figures: Mapping[str, Sequence[Figure]],
    recordings: LabelledRecordings,
) -> str:
    head = ["diagnosis", "asked by", "positives", *figures]
    if "seen" in figures:
        head.append("unseen less seen")
    rows = []
    for k, line in enumerate(lines):
        positive = recordings.carried[:, columns_of(recordings, line.concept_ids)]
        # A line of one concept tells how often it is there, a mean over how many it goes.
        n = f"{positive.sum()}" if line.of_one else f"{len(line.concept_ids)} classes"
        shown = [own[k].text() for own in figures.values()]
        if "seen" in figures:
            shown.append(figures["unseen"][k].less(figures["seen"][k]).text("+"))
        rows.append([line.label, line.asked, n, *shown])
    return markdown(head, rows)
