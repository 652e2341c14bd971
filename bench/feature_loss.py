"""Whether the feature approximation loss helps where labels are few and statements rare.

    python -m bench.feature_loss --data ../shared/data --out runs/feature

Cho et al. (J Imaging Inform Med 2024) report that likeness of the intermediate feature maps of two
views, added to InfoNCE, helps under imbalance and scarcity. Encoders are pretrained on folds 1-7
without labels, with InfoNCE alone and with both losses, everything else the same; linear probes
are then fitted on 1, 5, 10 and 100 % of the labels.

``--stage ablate`` chooses layers and weight on fold 8 (one seed, few epochs), ``compare`` trains
the arms with three seeds, ``table`` writes the figures of fold 9 as Markdown and SVG; without it
all three. Cells that are finished are kept, and one that was cut off goes on: run it again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.feature_ablation import ablate, choice
from bench.feature_cells import Arm, Configure, cell_folder, config_of, make_cell
from bench.feature_tables import write_tables
from bench.paper_cells import TEST_FOLD, TRAIN_FOLDS, VALIDATION_FOLD
from bench.paper_tables import FOLDERS
from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.vocabulary import load_vocabulary
from trainer.data import LabelledRecordings, load_ptbxl

STAGES = ("ablate", "compare", "table")
SEEDS, EPOCHS, ABLATION_EPOCHS = (0, 1, 2), 40, 10
SHARES = (0.01, 0.05, 0.1, 1.0)


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stage", choices=STAGES, help="this one only")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of the comparison")
    parser.add_argument("--ablation-epochs", type=int, default=ABLATION_EPOCHS)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), help="of the same")
    parser.add_argument("--layers", nargs="+", type=int, help="instead of the ablation's")
    parser.add_argument("--weight", type=float, help="instead of the ablation's")
    parser.add_argument(
        "--shifted", action="store_true", help="a third arm: InfoNCE with its usual time shifts"
    )
    arguments = parser.parse_args()
    given = arguments.layers is not None
    if given != (arguments.weight is not None):
        parser.error("--layers and --weight go together")
    if given and arguments.weight <= 0:
        parser.error("--weight has to be above 0: InfoNCE alone is an arm of its own")
    stages = STAGES if arguments.stage is None else (arguments.stage,)
    out, say = arguments.out, partial(print, flush=True)
    out.mkdir(parents=True, exist_ok=True)
    try:
        if "ablate" in stages and not given:
            # Fold 9 is not even read.
            known = load(arguments.data, (*TRAIN_FOLDS, VALIDATION_FOLD))
            say(ablate(known, out, arguments.ablation_epochs, say))
        if stages == ("ablate",):
            return
        chosen = Arm(tuple(arguments.layers), arguments.weight) if given else choice(out)
        arms = [Arm(), chosen, *([Arm(shifts=True)] if arguments.shifted else [])]
        recordings = load(arguments.data, (*TRAIN_FOLDS, VALIDATION_FOLD, TEST_FOLD))
        if "compare" in stages:
            compare(recordings, arms, arguments.seeds, arguments.epochs, out, say)
        if "table" in stages:
            say(write_tables(recordings, arms, arguments.seeds, arguments.epochs, out))
    except UsageError as error:
        parser.error(f"{error.message}: {error.advice}")


def load(data: Path, folds: Sequence[int]) -> LabelledRecordings:
    """Both folders of PTB-XL."""
    folders = [data / name for name in FOLDERS]
    return load_ptbxl(folders, folds, load_vocabulary(), PreprocessConfig())


def compare(
    recordings: LabelledRecordings,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    epochs: int,
    out: Path,
    say: Callable[[str], None],
    *,
    shares: Sequence[float] = SHARES,
    configure: Configure = config_of,
) -> None:
    """Pretrain and probe every arm with every seed.

    Parameters
    ----------
    recordings
        Of folds 1 to 9.
    arms, seeds, epochs
        Cells of all of them, seed by seed.
    out
        Holds the cells in ``compare``.
    say
        Told how it goes.
    shares
        Of the labels, that probes are fitted on.
    configure
        See `Configure`.
    """
    for seed in seeds:
        for arm in arms:
            say(f"{arm.label}, seed {seed}")
            folder = cell_folder(out, arm, epochs, seed)
            make_cell(configure(arm, seed, epochs), recordings, TEST_FOLD, shares, folder, say)


if __name__ == "__main__":
    main()
