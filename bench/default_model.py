"""Train the shipped model and its sibling, and measure the sibling on fold 9.

    python -m bench.default_model --data ../shared/data --out runs/default

The sibling is trained on folds 1-7, its thresholds come from fold 8, and every figure of
MODEL_CARD.md is its own on fold 9. The shipped model is trained by the same recipe on folds 1-8;
fold 9 gives its thresholds. Takes the better part of an hour on two cores. What is finished is
kept: run it again to go on.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

FOLDERS = ("ptb-xl", "ptb-xl-zscored")
TASKS = ("superclass", "subclass", "diagnostic", "form", "rhythm")
LICENCE = "Apache-2.0 (trained on PTB-XL, CC BY 4.0)"


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=40)
    arguments = parser.parse_args()
    folders = [str(arguments.data / name) for name in FOLDERS]
    sibling = arguments.out / "sibling"
    _train(sibling, "ecgscreen-ptb-xl-sibling", folders, ("1-7", "8"), arguments.epochs)
    for task in TASKS:
        figures = arguments.out / f"{task}.json"
        if not figures.exists():
            _ecgscreen(
                *("evaluate", "ptb-xl", *folders, "--task", task, "--folds", "9"),
                *("--bundle", str(sibling), "--json", str(figures)),
            )
    shipped = arguments.out / "shipped"
    _train(shipped, "ecgscreen-ptb-xl", folders, ("1-8", "9"), arguments.epochs)
    print(table(arguments.out))


def table(out: Path) -> str:
    """The figures as rows of MODEL_CARD.md."""
    lines = [
        "| task | recordings | classes | macro AUC (95 %) | with such a statement (95 %) "
        "| classes with a threshold | accuracy | precision | recall | F1 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        figures = json.loads((out / f"{task}.json").read_text(encoding="utf-8"))
        labelled = ""
        if figures["macro_auc_labelled_ci"]:
            labelled = _interval(figures["macro_auc_labelled"], figures["macro_auc_labelled_ci"])
            labelled += f", n = {figures['n_labelled']}"
        points = " | ".join(
            "" if figures[key] is None else f"{figures[key]:.3f}"
            for key in ("accuracy", "precision", "recall", "f1")
        )
        lines.append(
            f"| {task} | {figures['n']} | {figures['n_classes']} | "
            f"{_interval(figures['macro_auc'], figures['macro_auc_ci'])} | {labelled} | "
            f"{figures['n_thresholds']} | {points} |"
        )
    return "\n".join(lines)


def _interval(value: float, interval: dict[str, float]) -> str:
    return f"{value:.3f} ({interval['low']:.3f}-{interval['high']:.3f})"


def _train(out: Path, name: str, folders: list[str], folds: tuple[str, str], epochs: int) -> None:
    if (out / "manifest.json").exists():
        return
    shutil.rmtree(out, ignore_errors=True)
    _ecgscreen(
        *("train", *folders, "--out", str(out), "--name", name, "--epochs", str(epochs)),
        *("--train-folds", folds[0], "--validation-folds", folds[1], "--licence", LICENCE),
    )


def _ecgscreen(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "ecgscreen", *arguments], check=True)


if __name__ == "__main__":
    main()
