"""Six diagnoses that a model was trained without, scored from their names alone.

    python -m bench.unseen --data ../shared/data --out runs/unseen --seen-bundle SIBLING

A model is trained on folds 1-7 without these statements and the groups that stand for them
(`trainer.unseen`), by the recipe of the shipped model otherwise. It is asked for them on folds 8
and 9, by name and by all wordings of the vocabulary; beside it stands a bundle that has seen them,
and what the price is on what both have seen. The trained bundle is kept: run it again for the
figures, with ``--seed`` or ``--option`` and another ``--out`` for another model.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.paper_cells import TEST_FOLD, TRAIN_FOLDS, VALIDATION_FOLD
from bench.paper_tables import FOLDERS
from bench.prompted import bundle_beside, default_config, trained_bundle
from bench.unseen_tables import tables
from ecgscreen.bundle import Bundle
from ecgscreen.errors import EcgscreenError, UsageError
from ecgscreen.vocabulary import Vocabulary, load_vocabulary
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings, load_ptbxl, select
from trainer.splits import rows_of_folds
from trainer.unseen import stand_ins, without_concepts

UNSEEN = ("AFIB", "CLBBB", "STACH", "LAFB", "INVT", "1AVB")
EPOCHS = 25


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seen-bundle", type=Path, help="trained on folds 1-7 with all statements")
    parser.add_argument(
        "--option",
        nargs="+",
        default=[],
        metavar="NAME=JSON",
        help='of the training, such as rarity_power=0.5 text_head=\\"linear\\"',
    )
    arguments = parser.parse_args()
    say = partial(print, flush=True)
    try:
        config = replace(
            default_config(arguments.epochs, arguments.seed), **options(arguments.option)
        )
        vocabulary = load_vocabulary()
        recordings = load_ptbxl(
            [arguments.data / name for name in FOLDERS],
            (*TRAIN_FOLDS, VALIDATION_FOLD, TEST_FOLD),
            vocabulary,
            config.preprocess,
        )
        seen = bundle_beside(arguments.seen_bundle, config) if arguments.seen_bundle else None
        unseen = train_without(recordings, vocabulary, config, UNSEEN, arguments.out, say)
        text = tables(unseen, seen, recordings, vocabulary, UNSEEN)
    except EcgscreenError as error:
        parser.error(f"{error.message}: {error.advice}")
    (arguments.out / "tables.md").write_text(text, encoding="utf-8")
    say(text)


def options(given: Sequence[str]) -> dict[str, Any]:
    """``NAME=JSON`` as fields of `TrainConfig`; lists become tuples.

    Raises
    ------
    UsageError
        If there is no such field, or the value is no JSON.
    """
    found: dict[str, Any] = {}
    for one in given:
        name, _, text = one.partition("=")
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"option {one!r}", "Write NAME=JSON.") from error
        plain = isinstance(value, str | int | float | list)
        if name not in TrainConfig.__dataclass_fields__ or not plain:
            raise UsageError(f"option {one!r}", "Name a plain field of TrainConfig.")
        found[name] = tuple(value) if isinstance(value, list) else value
    return found


def train_without(
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    config: TrainConfig,
    concept_ids: Sequence[str],
    out: Path,
    say: Callable[[str], None],
) -> Bundle:
    """Give the bundle ``out / "unseen"`` that has not seen some concepts, trained if need be.

    See `bench.prompted.trained_bundle`.
    """
    # Neither labels nor signals of fold 9 take part, not even in what stands for a concept.
    known = select(recordings, rows_of_folds(recordings.folds, (*TRAIN_FOLDS, VALIDATION_FOLD)))
    left_out = (*concept_ids, *stand_ins(known, vocabulary, concept_ids))
    say(f"left out of training: {', '.join(left_out)}")
    out.mkdir(parents=True, exist_ok=True)
    shown = without_concepts(known, vocabulary, concept_ids)
    return trained_bundle(shown, vocabulary, config, out / "unseen", say)


if __name__ == "__main__":
    main()
