"""What is wrong with the lines of a list: told in one go, so that all is mended at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ecgscreen.errors import LabelListError
from ecgscreen.wording import counted

if TYPE_CHECKING:
    from ecgscreen.diagnoses import DiagnosisList

FAULTS_NAMED = 20
"""Of one list; of the others it is said how many they are."""

Place = tuple[int, int]
"""Line and column in the file, both from 1; a column of 0 is not known."""


def position(name: str, place: Place) -> str:
    """How messages name a place in a list."""
    line, column = place
    return f"{name}, line {line}" + (f", column {column}" if column else "")


class LineError(LabelListError):
    """One fault of a list, with its place.

    Parameters
    ----------
    list_name
        As messages name it.
    place
        Where the fault stands; `LineError.place`.
    message, advice
        What was found and expected there, and what to do.
    """

    def __init__(self, list_name: str, place: Place, message: str, advice: str) -> None:
        super().__init__(f"{position(list_name, place)}: {message}", advice)
        self.place = place


class Faults:
    """The faults of a list, as they are found: the first are kept, the others counted.

    Attributes
    ----------
    named
        At most `FAULTS_NAMED`.
    n_more
        Of how many nothing is kept.
    """

    def __init__(self) -> None:
        self.named: list[LineError] = []
        self.n_more = 0

    def __len__(self) -> int:
        return len(self.named) + self.n_more

    @property
    def full(self) -> bool:
        """Whether a further one is only counted: what describes it need not be sought."""
        return len(self.named) >= FAULTS_NAMED

    def add(self, fault: LineError) -> None:
        """Keep a fault, or count it."""
        if self.full:
            self.n_more += 1
        else:
            self.named.append(fault)

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Add the `LineError` that ends the block, if one does."""
        try:
            yield
        except LineError as fault:
            self.add(fault)


class FaultyLinesError(LabelListError):
    """A list has lines that cannot be understood: a line of the message each.

    The message is in the order of the file and names at most `FAULTS_NAMED`; the advice has a line
    for each kind of fault.

    Parameters
    ----------
    found
        Faults of several kinds, of one list; at least one.
    understood
        The diagnoses that have no fault of these kinds, if they are known.
    """

    def __init__(self, *found: Faults, understood: DiagnosisList | None = None) -> None:
        named = sorted((fault for each in found for fault in each.named), key=lambda f: f.place)
        shown = named[:FAULTS_NAMED]
        rows = [fault.message for fault in shown]
        if n_more := sum(map(len, found)) - len(shown):
            rows.append(f"and {n_more} more")
        super().__init__("\n".join(rows), "\n".join(dict.fromkeys(f.advice for f in shown)))
        self.found = found
        self.understood = understood


def no_diagnosis(name: str, rows: Sequence[str]) -> LabelListError:
    """What is said of a list in text form whose lines are blank, comments or headings."""
    n_blank = sum(not row.strip() for row in rows)
    n_comments = sum(row.lstrip().startswith("#") for row in rows)
    kinds = [
        counted(n_blank, "blank line") if n_blank else "",
        counted(n_comments, "comment") if n_comments else "",
        counted(n, "heading") if (n := len(rows) - n_blank - n_comments) else "",
    ]
    held = f"{counted(len(rows), 'line')}: {', '.join(filter(None, kinds))}" if rows else "no line"
    return LabelListError(
        f"{name}: no diagnosis in it, at least one is expected; it has {held}",
        "Write one diagnosis a line, such as 'atrial fibrillation'; what follows # is a comment, "
        "and [rhythm] on a line of its own is the heading of a group.",
    )
