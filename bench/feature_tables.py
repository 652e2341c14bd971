"""The arms of the feature loss's comparison on fold 9, as Markdown and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.feature_cells import DRAWS, Arm, Cell, cell_folder, load_cell
from bench.feature_figures import Difference, about, difference, macro_aucs, measured
from bench.feature_plot import differences_svg
from bench.paper_cells import TEST_FOLD, TRAIN_FOLDS
from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from trainer.data import LabelledRecordings


def write_tables(
    recordings: LabelledRecordings,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    epochs: int,
    out: Path,
    *,
    replicates: int = 1000,
) -> str:
    """Write and give the tables of fold 9, every arm against the first, and a picture of each.

    Parameters
    ----------
    recordings
        Of folds 1 to 9.
    arms, seeds, epochs
        Whose cells are read; seeds that not all arms have finished are left out.
    out
        Holds the cells in ``compare``.
    replicates
        Of the bootstrap over patients.

    Raises
    ------
    UsageError
        If no seed has all arms.
    """
    cells = _whole_seeds(arms, seeds, epochs, out)
    truth = measured(recordings, TRAIN_FOLDS, TEST_FOLD, load_vocabulary(), replicates=replicates)
    found = {arm: [macro_aucs(by_arm[arm], truth) for by_arm in cells.values()] for arm in arms}
    base = arms[0]
    parts = [
        "# Does the feature approximation loss help?",
        f"Pretrained without labels on folds 1-7 for {epochs} epochs, seeds "
        f"{', '.join(map(str, cells))}; linear probes on a share of the labels ({DRAWS} draws a "
        "seed, the same in all arms; of all of them one), penalty from fold 8; macro AUC on fold "
        f"9, {len(truth.positive)} recordings. {about(truth)} A concept without a labelled "
        "example counts .5. Differences are paired, means over seeds and draws, with 95 % "
        "intervals by bootstrap over patients, the seeds together. How another seed would come "
        "out is not in the interval: the difference of each seed stands beside it. Of so many "
        "intervals one in twenty excludes 0 by chance.",
    ]
    for arm in arms[1:]:
        differences = {
            key: difference([f[key] for f in found[arm]], [f[key] for f in found[base]])
            for key in found[arm][0]
        }
        title = f"{arm.label} less {base.label}"
        parts += [f"## {title}", _table(arm, base, differences)]
        picture = differences_svg(differences, f"Macro AUC on fold 9: {title}")
        (out / f"{arm.name}-e{epochs}.svg").write_text(picture, encoding="utf-8")
    text = "\n\n".join(parts) + "\n"
    (out / f"tables-e{epochs}.md").write_text(text, encoding="utf-8")
    return text


def _whole_seeds(
    arms: Sequence[Arm], seeds: Sequence[int], epochs: int, out: Path
) -> dict[int, dict[Arm, Cell]]:
    whole = {}
    for seed in seeds:
        found = {arm: load_cell(cell_folder(out, arm, epochs, seed)) for arm in arms}
        cells = {arm: cell for arm, cell in found.items() if cell is not None}
        if len(cells) == len(arms):
            whole[seed] = cells
    if not whole:
        raise UsageError(
            f"{out}: no seed has all {len(arms)} arms after {epochs} epochs",
            "Run --stage compare first, with the same options.",
        )
    return whole


def _table(arm: Arm, base: Arm, differences: Mapping[tuple[str, float], Difference]) -> str:
    head = [
        "classes",
        "labels",
        base.label,
        arm.label,
        "difference (95 %)",
        "seed by seed",
        "not 0",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for (group, share), one in differences.items():
        theirs, ours = one.values
        by_seed = ", ".join(f"{value:+.3f}" for value in one.by_seed)
        interval = f"{one.interval.low:+.3f} to {one.interval.high:+.3f}"
        cells = [
            *(group, f"{share:.0%}", f"{theirs:.3f}", f"{ours:.3f}"),
            *(f"{one.value:+.3f} ({interval})", by_seed, "yes" if one.excludes_zero else "no"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
