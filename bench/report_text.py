"""A model trained from report text alone, without a code.

    python -m bench.report_text --data ../shared/data --out runs/report-text

Statements are read from the reports of folds 1 to 8 (`trainer.from_reports`), with and without
PTB-XL's conventions of coding; a model is trained on folds 1-7 of each, and one on the same
recordings with their codes, so that what the text costs is told from what fewer recordings cost.
Figures are of fold 9 against its codes. Bundles that are finished are kept, and a training that
was cut off goes on: run it again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.paper_cells import TEST_FOLD, TRAIN_FOLDS, VALIDATION_FOLD
from bench.paper_tables import FOLDERS
from bench.prompted import (
    Figure,
    bundle_beside,
    columns_of,
    default_config,
    directions,
    embeddings,
    macro_figure,
    markdown,
    trained_bundle,
)
from ecgscreen.bundle import Bundle
from ecgscreen.errors import EcgscreenError
from ecgscreen.scoring import score
from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, load_ptbxl, select
from trainer.evaluate_sets import check_not_trained_on_folds
from trainer.from_reports import recordings_from_reports
from trainer.metrics import measurable
from trainer.splits import rows_of_folds

TASKS = ("superclass", "subclass", "diagnostic", "form", "rhythm")
ARMS = {
    "plain": "report text",
    "conventions": "report text, PTB-XL's conventions",
    "codes": "codes, the same recordings",
}
ALL_CODES = "codes, all recordings"
EPOCHS = 40


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seen-bundle", type=Path, help="trained on all codes of folds 1-7")
    arguments = parser.parse_args()
    say = partial(print, flush=True)
    try:
        vocabulary = load_vocabulary()
        config = default_config(arguments.epochs, arguments.seed)
        recordings = load_ptbxl(
            [arguments.data / name for name in FOLDERS],
            (*TRAIN_FOLDS, VALIDATION_FOLD, TEST_FOLD),
            vocabulary,
            config.preprocess,
        )
        bundles = {
            ARMS[arm]: train_arm(arm, recordings, vocabulary, config, arguments.out, say)
            for arm in arguments.arms
        }
        if arguments.seen_bundle:
            bundles[ALL_CODES] = bundle_beside(arguments.seen_bundle, config)
        text = table(bundles, recordings, vocabulary)
    except EcgscreenError as error:
        parser.error(f"{error.message}: {error.advice}")
    (arguments.out / "tables.md").write_text(text, encoding="utf-8")
    say(text)


def train_arm(
    arm: str,
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    config: TrainConfig,
    out: Path,
    say: Callable[[str], None],
) -> Bundle:
    """The bundle of an arm, trained if need be; see `bench.prompted.trained_bundle`.

    Parameters
    ----------
    arm
        One of `ARMS`.
    recordings
        Of folds 1 to 9, with reports and codes.
    vocabulary, config
        Of the training.
    out
        Holds the bundles.
    say
        Told how it goes.
    """
    known = select(recordings, rows_of_folds(recordings.folds, (*TRAIN_FOLDS, VALIDATION_FOLD)))
    if arm == "codes":
        shown = select(known, rows_with_text(known, vocabulary))
    else:
        shown = recordings_from_reports(known, vocabulary, conventions=arm == "conventions")
    n = np.isin(shown.folds, TRAIN_FOLDS).sum()
    say(f"{ARMS[arm]}: {n} of {np.isin(known.folds, TRAIN_FOLDS).sum()} recordings train")
    out.mkdir(parents=True, exist_ok=True)
    return trained_bundle(shown, vocabulary, config, out / arm, say)


def rows_with_text(recordings: LabelledRecordings, vocabulary: Vocabulary) -> NDArray[np.intp]:
    """Of which recordings the report gives a statement, shape (n,)."""
    # What is left out is not said; the rows' numbers, in the place of folds, come through.
    numbered = replace(recordings, folds=np.arange(len(recordings.folds)))
    rows: NDArray[np.intp] = recordings_from_reports(numbered, vocabulary).folds
    return rows


def table(
    bundles: Mapping[str, Bundle],
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    *,
    replicates: int = 1000,
) -> str:
    """Macro AUC of every bundle on fold 9 by task, and paired differences, as Markdown.

    Parameters
    ----------
    bundles
        By label.
    recordings
        With their codes, of fold 9 at least.
    vocabulary
        Gives the classes.
    replicates
        Of the bootstrap over patients.

    Raises
    ------
    UsageError
        If a bundle was trained on fold 9.
    """
    measured = select(recordings, rows_of_folds(recordings.folds, [TEST_FOLD]))
    counted = dict(zip(measured.concept_ids, measurable(measured.carried), strict=True))
    classes = {
        task: ids
        for task in TASKS
        if (ids := [concept.id for concept in vocabulary.task(task) if counted[concept.id]])
    }
    found: dict[str, dict[str, Figure]] = {}
    for label, bundle in bundles.items():
        check_not_trained_on_folds(bundle, [TEST_FOLD])
        embedded = embeddings(bundle, measured)
        found[label] = {
            task: macro_figure(
                score(embedded, directions(bundle, vocabulary, ids)),
                measured.carried[:, columns_of(measured, ids)],
                measured.patients,
                replicates=replicates,
            )
            for task, ids in classes.items()
        }
    first = next(iter(found))
    rows = []
    for label, bundle in bundles.items():
        training = bundle.manifest["training"]
        shown = [figure.text() for figure in found[label].values()]
        n, epochs = training["n_recordings"], training["config"]["epochs"]
        rows.append([label, str(n), str(epochs), *shown])
    differences = [
        [
            f"{label} less {first}",
            *(found[label][t].less(found[first][t]).text("+") for t in classes),
        ]
        for label in found
        if label != first
    ]
    tasks = [f"{task}, {len(ids)} classes" for task, ids in classes.items()]
    parts = [
        "# Training from report text",
        f"Macro AUC against the codes of fold {TEST_FOLD}, {len(measured.windows)} recordings, "
        "asked by all wordings of each class, whether training had it or not; 95 % intervals by "
        "bootstrap over patients.",
        markdown(["labels from", "trained on", "epochs", *tasks], rows),
    ]
    if differences:
        parts.append(markdown(["difference, paired", *tasks], differences))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
