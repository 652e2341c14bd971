"""Whether a retrained bundle takes the place of the old one, and what is said about it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ecgscreen.bundle import Bundle
from ecgscreen.errors import NotPublishedError, UsageError
from ecgscreen.publish import check_folder_can_be
from ecgscreen.wording import counted
from trainer.comparison import Comparison, Verdict

COMPARISON_FILE = "comparison.json"


def rejected_folder(out: Path) -> Path:
    """Where a bundle stays that is not published at ``out``."""
    return out.with_name(f"{out.name}.rejected")


def check_free(folder: Path) -> None:
    """Make sure that a bundle can be put there, before it is trained for hours.

    Raises
    ------
    UsageError
        If there is something already, or it could not be put there.
    StoreError
        If it may not be written there.
    """
    if folder.name in ("", ".."):
        raise UsageError(f"{folder} names no folder to make", "Name one that does not exist yet.")
    if folder.is_symlink() or folder.is_mount():
        raise UsageError(
            f"{folder} is a link or a mount point, which no bundle can take the place of",
            "Name a folder in it.",
        )
    check_folder_can_be(folder)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty", "Name a folder that does not exist yet, or move that one."
        )
    # The bundle is made beside its place.
    check_folder_can_be(folder.with_name(f"{folder.name}.partial"))


@dataclass(frozen=True)
class Decision:
    """Comparisons with the bundle before, and what follows from them.

    Attributes
    ----------
    old
        The bundle before, if the new one is to take the place of any.
    comparisons
        A set each; none: there is nothing to hold against the new one.
    accepted
        Publish it whatever they say.
    """

    old: Bundle | None
    comparisons: tuple[Comparison, ...]
    accepted: bool

    @property
    def published(self) -> bool:
        """Not worse on any set, or accepted. Where nobody can say, it is not."""
        return self.accepted or not self._against

    @property
    def _against(self) -> tuple[Comparison, ...]:
        return tuple(one for one in self.comparisons if one.verdict is not Verdict.NOT_WORSE)

    def write(self, folder: Path) -> None:
        """Write `COMPARISON_FILE` into the new bundle's folder; no patient is named in it."""
        document = {
            "old": {"name": self.old.name, "sha256": self.old.sha256} if self.old else None,
            "published": self.published,
            "accepted": self.accepted,
            "sets": [_plain(asdict(one)) for one in self.comparisons],
        }
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (folder / COMPARISON_FILE).write_text(f"{text}\n", encoding="utf-8")

    def lines(self) -> list[str]:
        """A table: of each set the mean, then its statements, those that lose most first."""
        old = self.old.name if self.old else "nothing"
        lines = [f"macro AUC, {old} before, the new one after, difference with 95 % interval:"]
        for one in self.comparisons:
            interval = f"({_signed(one.interval.low)} to {_signed(one.interval.high)})"
            lines += [
                f"{one.name}: {counted(one.n, 'recording')} of "
                f"{counted(one.n_patients, 'patient')}, {one.what}",
                f"  {'all':<12} {_pair(one.old, one.new)} {interval}  {one.verdict}",
            ]
            ranked = sorted(one.per_class.items(), key=lambda item: item[1].new - item[1].old)
            lines += [
                f"  {key:<12} {_pair(pair.old, pair.new)}  {pair.n_positive} positive"
                for key, pair in ranked
            ]
        return lines

    def complaint(self, target: Path, out: Path) -> NotPublishedError:
        """What is said where the bundle stays in ``target`` and does not come to ``out``."""
        return NotPublishedError(
            f"not published: {'; '.join(map(_complaint, self._against))}; the bundle is in "
            f"{target}",
            f"Read {COMPARISON_FILE} there; to use it all the same, move it to {out}, or give "
            "--accept.",
        )


def _complaint(one: Comparison) -> str:
    if one.verdict is Verdict.WORSE:
        return f"{one.name}: macro AUC falls by {-one.difference:.3f}"
    if one.per_class:
        which = counted(one.n_patients, "patient is", "patients are")
        return f"{one.name}: {which} too few to tell"
    return f"{one.name}: of no statement there are enough recordings to tell"


def _pair(old: float, new: float) -> str:
    return f"{_number(old)}  {_number(new)}  {_signed(new - old)}"


def _number(value: float) -> str:
    return "  -  " if math.isnan(value) else f"{value:.3f}"


def _signed(value: float) -> str:
    return "  -   " if math.isnan(value) else f"{value:+.3f}"


def _plain(value: Any) -> Any:
    """JSON has no NaN: null says that there is no figure."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
