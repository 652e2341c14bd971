"""A list of diagnoses: find the file; in text form, split it into lines and synonyms.

One diagnosis a line; ``#`` at the beginning or after white space starts a comment;
``a | b`` are synonyms; ``[rhythm]`` begins a group. UTF-8, with or without a byte order mark,
any line ending. The TOML form is read by `ecgscreen.label_list_toml`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from ecgscreen.asked_threshold import AskedThreshold
from ecgscreen.errors import LabelListError
from ecgscreen.label_list_faults import Faults, LineError, Place, no_diagnosis, position

MAX_LINE_LENGTH = 500
"""Characters of a diagnosis with its synonyms: far more than a diagnosis in words needs."""

MAX_FILE_SIZE = 1 << 20
"""Bytes. More than that is not a list that somebody wrote."""

MAX_DIAGNOSES = 4096
"""Of one list: a column of the table each."""

SUFFIXES = (".txt", ".toml")

_COMMENT = re.compile(r"(?:^|\s)#.*")
_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp"})
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ListLine:
    """One diagnosis as written.

    Attributes
    ----------
    number
        Line number in the file, from 1.
    text
        The line without comment and outer white space.
    parts
        Its synonyms, at least one, none of them empty.
    places
        Where each of them stands.
    counter_parts, counter_places
        The same of its counter-prompts; only the TOML form has any.
    group
        The heading above it; empty without.
    severity
        ``info`` unless the TOML form says otherwise.
    asked
        The threshold that the list asks for; None without.
    """

    number: int
    text: str
    parts: tuple[str, ...]
    places: tuple[Place, ...]
    counter_parts: tuple[str, ...] = ()
    counter_places: tuple[Place, ...] = ()
    group: str = ""
    severity: str = "info"
    asked: AskedThreshold | None = None


def shipped_lists() -> tuple[str, ...]:
    """File names of the lists that come with the package, sorted."""
    folder = resources.files("ecgscreen") / "label_lists"
    return tuple(sorted(each.name for each in folder.iterdir() if each.name.endswith(SUFFIXES)))


def read_list_file(name_or_path: str) -> tuple[str, bytes]:
    """Read a list: a file if there is one, else the shipped list of that name.

    Parameters
    ----------
    name_or_path
        A path, or the name of a shipped list with or without its ending.

    Returns
    -------
    str
        The path as given, or the file name of the shipped list.
    bytes
        The whole content.

    Raises
    ------
    LabelListError
        If there is neither a regular file nor a shipped list, or none is named, or it cannot be
        read, or is larger than `MAX_FILE_SIZE`.
    """
    path = Path(name_or_path)
    try:
        if path.is_file():
            return name_or_path, _read(path)
        if not name_or_path.strip():
            raise LabelListError(
                f"no list of diagnoses is named: found {name_or_path!r}, a file or the name of a "
                "shipped list is expected",
                f"Shipped lists: {', '.join(shipped_lists())}.",
            )
        shipped = {name: name for name in shipped_lists()}
        shipped |= {_stem(name): name for name in shipped}
        if name_or_path in shipped:
            file = resources.files("ecgscreen") / "label_lists" / shipped[name_or_path]
            return shipped[name_or_path], file.read_bytes()
        if path.exists():
            raise LabelListError(
                f"{name_or_path}: not a regular file, a list of diagnoses is expected",
                "Give a text file with one diagnosis a line.",
            )
    except OSError as error:
        raise LabelListError(
            f"{name_or_path}: cannot be read: {error.strerror}",
            "Give a text file that this user may read, or the name of a shipped list.",
        ) from error
    raise _no_such_list(name_or_path)


def parse_lines(name: str, content: bytes, faults: Faults) -> tuple[ListLine, ...]:
    """Split the content of a list into its diagnoses.

    Parameters
    ----------
    name
        Name of the list, for messages.
    content
        The bytes of the file.
    faults
        Where each bad line is put, with its place: a control or invisible character, over
        `MAX_LINE_LENGTH` characters, an empty synonym, nothing but punctuation.

    Returns
    -------
    tuple of ListLine
        The others, in the order of the file, duplicates kept; at least one if there is no fault.

    Raises
    ------
    LabelListError
        If it is not UTF-8 (with line and column), or has no diagnosis or too many.
    """
    # Not str.splitlines: it would also split at characters that are refused below.
    rows = decode_list(name, content).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines: list[ListLine] = []
    group = ""
    for number, row in enumerate(rows, start=1):
        text = _COMMENT.sub("", row).strip()
        column = len(row) - len(row.lstrip()) + 1
        with faults.caught():
            if text.startswith("[") and text.endswith("]"):
                check_text(name, text, (number, column))
                group = text[1:-1].strip()
            elif text:
                lines.append(_parse(name, text, (number, column), group))
    check_count(name, len(lines))
    if not lines and not faults:
        raise no_diagnosis(name, rows if rows[-1] else rows[:-1])
    return tuple(lines)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_SIZE + 1)
    if len(content) > MAX_FILE_SIZE:
        raise LabelListError(
            f"{path}: larger than {MAX_FILE_SIZE} bytes, a list of diagnoses is expected",
            "Give a text file with one diagnosis a line.",
        )
    return content


def _no_such_list(name: str) -> LabelListError:
    shipped = shipped_lists()
    stems = {_stem(each): each for each in shipped}  # ".txt" makes any two names alike
    nearest = get_close_matches(_stem(Path(name).name.lower()), stems, n=1)
    guess = f"Did you mean {stems[nearest[0]]}? " if nearest else "Look at the path. "
    return LabelListError(
        f"{name}: no such file, and no list of this name is shipped",
        f"{guess}Shipped lists: {', '.join(shipped)}.",
    )


def _stem(name: str) -> str:
    return name.removesuffix(".txt").removesuffix(".toml")


def decode_list(name: str, content: bytes) -> str:
    """The text of a list, without byte order mark.

    Raises
    ------
    LabelListError
        If it is not UTF-8.
    """
    content = content.removeprefix(_BOM)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        rows = before.decode("utf-8").split("\n")
        raise LabelListError(
            f"{position(name, (len(rows), len(rows[-1]) + 1))}: byte "
            f"0x{content[error.start]:02x} is not UTF-8 text",
            "Save the list as UTF-8; it may be Latin-1 (Windows-1252) or UTF-16 now.",
        ) from error


def check_count(name: str, n_diagnoses: int) -> None:
    """Refuse a list of more than `MAX_DIAGNOSES`.

    Raises
    ------
    LabelListError
        Naming how many it has.
    """
    if n_diagnoses > MAX_DIAGNOSES:
        raise LabelListError(
            f"{name}: {n_diagnoses} diagnoses, at most {MAX_DIAGNOSES} are allowed",
            "Write what is asked of the recordings into several lists.",
        )


def check_text(name: str, text: str, place: Place) -> None:
    """Refuse what nobody typed as the name of a diagnosis.

    Raises
    ------
    LineError
        Too long, an invisible character in it, or neither letter nor digit.
    """
    line, column = place
    if len(text) > MAX_LINE_LENGTH:
        raise LineError(
            name,
            place,
            f"{len(text)} characters, at most {MAX_LINE_LENGTH} are allowed",
            "Write one diagnosis a line, in a few words.",
        )
    for offset, character in enumerate(text):
        if character != "\t" and unicodedata.category(character) in _INVISIBLE:
            raise LineError(
                name,
                (line, column + offset),
                f"invisible character U+{ord(character):04X} in it, text is expected",
                "Type the line anew; it may have come along with copied text.",
            )
    if not any(character.isalnum() for character in text):
        raise LineError(
            name,
            place,
            f"{text!r} is not a diagnosis, words are expected",
            "Write synonyms as 'atrial fibrillation | auricular fibrillation'.",
        )


def _parse(name: str, text: str, place: Place, group: str) -> ListLine:
    number, column = place
    # The whole line first: a line of bars alone is told of its first synonym, not of itself.
    if any(character.isalnum() for character in text) or len(text) > MAX_LINE_LENGTH:
        check_text(name, text, place)
    parts, places = [], []
    for raw in text.split("|"):
        part = raw.strip()
        at = (number, column + len(raw) - len(raw.lstrip()))
        column += len(raw) + 1
        if not part:
            raise LineError(
                name,
                at,
                "a synonym is empty, words are expected on both sides of '|'",
                "Write synonyms as 'atrial fibrillation | auricular fibrillation'.",
            )
        check_text(name, part, at)
        parts.append(part)
        places.append(at)
    return ListLine(number=number, text=text, parts=tuple(parts), places=tuple(places), group=group)
