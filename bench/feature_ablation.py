"""Layers and weight of the feature approximation loss, chosen on fold 8."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench.feature_cells import Arm, Configure, config_of, make_cell
from bench.feature_figures import about, macro_aucs, measured
from bench.paper_cells import TRAIN_FOLDS, VALIDATION_FOLD
from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from trainer.data import LabelledRecordings

SHARES = (0.1, 1.0)
ARMS = (
    Arm(),
    *(Arm(layers, weight) for layers in ((1, 2, 3, 4), (3, 4), (4,)) for weight in (0.1, 1.0)),
)
"""What is tried: InfoNCE alone first."""
_CHOICE = "choice.json"


def ablate(
    recordings: LabelledRecordings,
    out: Path,
    epochs: int,
    say: Callable[[str], None],
    *,
    arms: Sequence[Arm] = ARMS,
    configure: Configure = config_of,
) -> str:
    """Train every arm with one seed, write the table and the choice; gives the table.

    Chosen is the arm with the largest mean over the table's figures, InfoNCE alone aside.

    Parameters
    ----------
    recordings
        Of folds 1 to 8.
    out
        Holds the cells in ``ablate``.
    epochs
        Of each pretraining.
    say
        Told how it goes.
    arms
        Tried; InfoNCE alone first.
    configure
        See `Configure`.
    """
    truth = measured(recordings, TRAIN_FOLDS, VALIDATION_FOLD, load_vocabulary(), replicates=0)
    keys = [(group, share) for group in truth.groups for share in SHARES]
    figures: dict[Arm, list[float]] = {}
    for arm in arms:
        say(f"ablation: {arm.label}")
        folder = out / "ablate" / f"{arm.name}-e{epochs}-s0"
        config = configure(arm, 0, epochs)
        cell = make_cell(config, recordings, VALIDATION_FOLD, SHARES, folder, say)
        found = macro_aucs(cell, truth)
        figures[arm] = [float(found[key][0]) for key in keys]
    best = max(arms[1:], key=lambda arm: np.nanmean(figures[arm]))
    head = ["pretraining", *(f"{group}, {share:.0%}" for group, share in keys), "mean"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for arm, values in figures.items():
        label = f"{arm.label}: chosen" if arm == best else arm.label
        cells = [f"{value:.3f}" for value in (*values, float(np.nanmean(values)))]
        lines.append("| " + " | ".join([label, *cells]) + " |")
    text = "\n".join(
        [
            "# Layers and weight of the feature approximation loss",
            "",
            f"Linear probes on a share of the labels, macro AUC on fold 8, pretrained for {epochs} "
            f"epochs, seed 0. {about(truth)} The probe's penalty is chosen on fold 8 too, in every "
            "row alike.",
            "",
            *lines,
            "",
        ]
    )
    (out / f"ablation-e{epochs}.md").write_text(text, encoding="utf-8")
    chosen = {"layers": best.layers, "weight": best.weight, "epochs": epochs}
    (out / _CHOICE).write_text(json.dumps(chosen) + "\n", encoding="utf-8")
    return text


def choice(out: Path) -> Arm:
    """What `ablate` chose.

    Raises
    ------
    UsageError
        If it has not run yet.
    """
    path = out / _CHOICE
    if not path.exists():
        raise UsageError(
            f"{path} is not there", "Run --stage ablate first, or give --layers and --weight."
        )
    found = json.loads(path.read_text(encoding="utf-8"))
    return Arm(tuple(found["layers"]), found["weight"])
