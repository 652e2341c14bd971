"""The paper's Tables 1 to 3 on our recordings, with what the paper itself reports beside them.

    python -m bench.paper_tables --data ../shared/data --out runs/paper

Every row is trained on folds 1-7 with three seeds; fold 8 gives thresholds and penalties, fold 9
the figures. Cells that are finished are kept, and one that was cut off
goes on: run it again. ``--quick`` takes one seed and
fewer epochs and is meant to end within 40 minutes on two idle cores; its rows stand beside those
of a full run, never among them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from bench.paper_cells import (
    ROWS,
    TEST_FOLD,
    TRAIN_FOLDS,
    VALIDATION_FOLD,
    Cell,
    config_of,
    load_cell,
    make_cell,
)
from bench.paper_figures import (
    AT_THRESHOLDS,
    PAPER,
    Labels,
    TaskFigures,
    argmax_figures,
    multilabel_figures,
)
from bench.paper_plot import intervals_svg
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from trainer.data import LabelledRecordings, load_ptbxl
from trainer.datasets.case import Case
from trainer.datasets.mitbih import ARRHYTHMIA, mitbih_set
from trainer.splits import rows_of_folds

FOLDERS = ("ptb-xl", "ptb-xl-zscored")
MIT_BIH = "mitdb"
SEEDS, EPOCHS = (0, 1, 2), 40
MAX_SEEDS = 10
QUICK_SEEDS, QUICK_EPOCHS = (0,), 8
TABLES = {"superclass": "Table 1", "form": "Table 2"}
PAIRS = (
    ("statement", "supervised"),
    ("statement", "supervised-plain"),
    ("supervised", "supervised-plain"),
    ("statement", "clip"),
    ("clip-feature", "clip"),
    ("statement-feature", "statement"),
)


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", nargs="+", type=int, choices=range(MAX_SEEDS))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--quick", action="store_true", help="one seed, few epochs")
    parser.add_argument("--tables-only", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    seeds = arguments.seeds or (QUICK_SEEDS if arguments.quick else SEEDS)
    epochs = arguments.epochs or (QUICK_EPOCHS if arguments.quick else EPOCHS)

    vocabulary = load_vocabulary()
    recordings = load_ptbxl(
        [arguments.data / name for name in FOLDERS],
        (*TRAIN_FOLDS, VALIDATION_FOLD, TEST_FOLD),
        vocabulary,
        PreprocessConfig(),
    )
    elsewhere = None
    if (arguments.data / MIT_BIH).is_dir():
        elsewhere = load_mitbih(arguments.data / MIT_BIH, vocabulary)
    say = partial(print, flush=True)
    for seed in seeds:
        for row in () if arguments.tables_only else arguments.rows:
            folder = _folder(arguments.out, row, epochs, seed)
            if load_cell(folder) is None:
                say(f"{row}, seed {seed}")
                config = config_of(ROWS[row], seed, epochs)
                make_cell(ROWS[row], config, recordings, elsewhere, vocabulary, folder, say)
        _write(arguments.out, epochs, recordings, elsewhere, vocabulary)


def _folder(out: Path, row: str, epochs: int, seed: int) -> Path:
    return out / "cells" / f"{row}-e{epochs}-s{seed}"


def _write(
    out: Path,
    epochs: int,
    recordings: LabelledRecordings,
    elsewhere: LabelledRecordings | None,
    vocabulary: Vocabulary,
) -> None:
    """Tables and pictures of every cell of these epochs that is finished, whoever made it."""
    cells: dict[str, list[Cell]] = {}
    for row in ROWS:
        for seed in range(MAX_SEEDS):
            if (cell := load_cell(_folder(out, row, epochs, seed))) is not None:
                cells.setdefault(row, []).append(cell)
    if not cells:
        return
    text = tables(cells, recordings, elsewhere, vocabulary, epochs)
    (out / f"tables-e{epochs}.md").write_text(text, encoding="utf-8")
    labels = labels_of(recordings)
    for task in TABLES:
        classes = [concept.id for concept in vocabulary.task(task)]
        picture = intervals_svg(multilabel_figures(cells, labels, classes), ROWS)
        (out / f"{task}-e{epochs}.svg").write_text(picture, encoding="utf-8")


def tables(
    cells: Mapping[str, Sequence[Cell]],
    recordings: LabelledRecordings,
    elsewhere: LabelledRecordings | None,
    vocabulary: Vocabulary,
    epochs: int,
) -> str:
    """All tables as Markdown.

    Parameters
    ----------
    cells
        By row of `bench.paper_cells.ROWS`, a cell a seed.
    recordings, elsewhere
        Those that were scored.
    vocabulary
        Gives the classes.
    epochs
        That every row was trained for.
    """
    labels = labels_of(recordings)
    parts = [
        "# The paper's tables on our recordings",
        f"Trained on folds 1-7 of {len(recordings.windows)} recordings of PTB-XL for {epochs} "
        "epochs (a probe on an untrained encoder for none), thresholds from fold 8, figures from "
        "fold 9. Means over seeds; 95 % intervals by bootstrap over patients. The text rows are "
        "prompted by name with concepts that the training text held: prompted (seen), not "
        "zero-shot. The paper's figures (Li 2024) are on another split of all of PTB-XL, with a "
        "protocol it does not spell out: they stand beside ours for orientation.",
    ]
    for task, title in TABLES.items():
        classes = [concept.id for concept in vocabulary.task(task)]
        multilabel = multilabel_figures(cells, labels, classes)
        parts.append(f"## {title}: PTB-XL {task}")
        parts.append(_table(cells, multilabel, "multilabel", PAPER[task]))
        parts.append(_pairs(multilabel))
        argmax = argmax_figures(cells, labels, classes)
        parts.append(_table(cells, argmax, "argmax", PAPER[task]))
        parts.append(_pairs(argmax))
    parts.append("## Table 3: MIT-BIH, nothing of it trained on")
    scored = {row: [c for c in seeds if c.elsewhere is not None] for row, seeds in cells.items()}
    scored = {row: seeds for row, seeds in scored.items() if seeds}
    if elsewhere is None or not scored:
        parts.append("Not measured: no recordings, or no row that scored them.")
    else:
        # MIT-BIH is one set: nothing of it may choose a threshold, so there is argmax only.
        there = Labels(
            elsewhere.concept_ids, elsewhere.carried, elsewhere.carried, elsewhere.patients
        )
        found = argmax_figures(scored, there, ARRHYTHMIA, which="elsewhere")
        parts.append(_table(scored, found, "argmax", PAPER["mit-bih"]))
        parts.append(_pairs(found))
    for task in ("rhythm", "diagnostic", "subclass"):
        classes = [concept.id for concept in vocabulary.task(task)]
        figures = multilabel_figures(cells, labels, classes)
        parts.append(f"## Not in the paper: PTB-XL {task}")
        parts.append(_table(cells, figures, "multilabel", {}))
        parts.append(_pairs(figures))
    return "\n\n".join(part for part in parts if part) + "\n"


def labels_of(recordings: LabelledRecordings) -> Labels:
    """What is true of folds 8 and 9."""
    validation = rows_of_folds(recordings.folds, [VALIDATION_FOLD])
    test = rows_of_folds(recordings.folds, [TEST_FOLD])
    return Labels(
        recordings.concept_ids,
        recordings.carried[validation],
        recordings.carried[test],
        recordings.patients[test],
    )


def load_mitbih(folder: Path, vocabulary: Vocabulary) -> LabelledRecordings:
    """Windows of MIT-BIH, each a recording of its own; ages, sexes and folds are not known."""
    cases = [
        case
        for case in mitbih_set([folder], vocabulary).cases(PreprocessConfig())
        if isinstance(case, Case)
    ]
    ids = tuple(concept.id for concept in vocabulary.concepts)
    unknown = np.full(len(cases), np.nan, dtype=np.float32)
    return LabelledRecordings(
        windows=np.stack([case.windows[0] for case in cases]),
        lead_mask=np.stack([case.lead_mask for case in cases]),
        amplitude_known=np.ones(len(cases), dtype=np.bool_),
        concept_ids=ids,
        carried=np.array([[key in case.carried for key in ids] for case in cases]),
        patients=np.array([case.patient for case in cases]),
        folds=np.zeros(len(cases), dtype=np.int64),
        ages=unknown,
        sexes=unknown,
        skipped=(),
    )


def _table(
    cells: Mapping[str, Sequence[Cell]],
    figures: TaskFigures,
    protocol: str,
    paper: Mapping[str, Sequence[float]],
) -> str:
    theirs = [f"paper: {name}" for name in AT_THRESHOLDS] if paper else []
    head = ["row", "seeds", *figures.names, *theirs]
    lines = [
        f"Protocol `{protocol}`: {figures.about}.",
        "",
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
    ]
    for row, label in _shown(cells):
        ours = [
            f"{value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
            for value, interval in (
                (figures.values[row][k], figures.interval(row, k))
                for k in range(len(figures.names))
            )
        ]
        beside = [f"{value:.3f}" for value in paper.get(row, ())] or [""] * len(theirs)
        lines.append("| " + " | ".join([label, str(len(cells[row])), *ours, *beside]) + " |")
    return "\n".join(lines)


def _pairs(figures: TaskFigures) -> str:
    """Differences on the same patients, of the first figure and of F1."""
    shown = sorted({0, len(figures.names) - 1})
    lines = []
    for row, other in PAIRS:
        if row in figures.values and other in figures.values:
            found = [figures.difference(row, other, k) for k in shown]
            cells = [f"{value:+.3f} ({i.low:+.3f} to {i.high:+.3f})" for value, i in found]
            lines.append(f"| {ROWS[row].label} less {ROWS[other].label} | {' | '.join(cells)} |")
    if not lines:
        return ""
    head = ["difference, paired", *(figures.names[k] for k in shown)]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines])


def _shown(cells: Mapping[str, Sequence[Cell]]) -> list[tuple[str, str]]:
    return [(name, row.label) for name, row in ROWS.items() if name in cells]


if __name__ == "__main__":
    main()
