"""A list of diagnoses in text form: find the file, and split it into lines and synonyms.

One diagnosis a line; ``#`` at the beginning or after white space starts a comment;
``a | b`` are synonyms. UTF-8, with or without a byte order mark, any line ending.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

from ecgscreen.errors import LabelListError

MAX_LINE_LENGTH = 500
"""Characters of a diagnosis with its synonyms: far more than a diagnosis in words needs."""

MAX_FILE_SIZE = 1 << 20
"""Bytes. More than that is not a list that somebody wrote."""

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
    """

    number: int
    text: str
    parts: tuple[str, ...]


def shipped_lists() -> tuple[str, ...]:
    """File names of the lists that come with the package, sorted."""
    folder = resources.files("ecgscreen") / "label_lists"
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".txt")))


def read_list_file(name_or_path: str) -> tuple[str, bytes]:
    """Read a list: a file if there is one, else the shipped list of that name.

    Parameters
    ----------
    name_or_path
        A path, or the name of a shipped list with or without ``.txt``.

    Returns
    -------
    str
        The path as given, or the file name of the shipped list.
    bytes
        The whole content.

    Raises
    ------
    LabelListError
        If there is neither a regular file nor a shipped list, or it cannot be read, is
        larger than `MAX_FILE_SIZE`, or is a TOML list.
    """
    if name_or_path.lower().endswith(".toml"):
        raise LabelListError(
            f"{name_or_path}: lists in TOML form are not supported in this version",
            "Write one diagnosis a line into a .txt file.",
        )
    path = Path(name_or_path)
    try:
        if path.is_file():
            return name_or_path, _read(path)
        shipped = {name: name for name in shipped_lists()}
        shipped |= {name.removesuffix(".txt"): name for name in shipped}
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


def parse_lines(name: str, content: bytes) -> tuple[ListLine, ...]:
    """Split the content of a list into its diagnoses.

    Parameters
    ----------
    name
        Name of the list, for messages.
    content
        The bytes of the file.

    Returns
    -------
    tuple of ListLine
        In the order of the file, duplicates kept.

    Raises
    ------
    LabelListError
        With name and line number: not UTF-8, a control or invisible character, over
        `MAX_LINE_LENGTH` characters, an empty synonym, nothing but punctuation; or no
        diagnosis at all.
    """
    # Not str.splitlines: it would also split at characters that are refused below.
    rows = _decode(name, content).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    texts = ((number, _COMMENT.sub("", row).strip()) for number, row in enumerate(rows, start=1))
    lines = tuple(_parse(name, number, text) for number, text in texts if text)
    if not lines:
        raise LabelListError(
            f"{name}: no diagnosis in it, at least one is expected",
            "Write one diagnosis a line; lines that begin with # are comments.",
        )
    return lines


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
    stems = [each.removesuffix(".txt") for each in shipped]  # ".txt" makes any two names alike
    nearest = get_close_matches(Path(name).name.lower().removesuffix(".txt"), stems, n=1)
    guess = f"Did you mean {nearest[0]}.txt? " if nearest else "Look at the path. "
    return LabelListError(
        f"{name}: no such file, and no list of this name is shipped",
        f"{guess}Shipped lists: {', '.join(shipped)}.",
    )


def _decode(name: str, content: bytes) -> str:
    content = content.removeprefix(_BOM)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        number = before.count(b"\n") + 1
        raise LabelListError(
            f"{name}, line {number}: byte 0x{content[error.start]:02x} is not UTF-8 text",
            "Save the list as UTF-8; it may be Latin-1 (Windows-1252) or UTF-16 now.",
        ) from error


def _parse(name: str, number: int, text: str) -> ListLine:
    where = f"{name}, line {number}"
    if len(text) > MAX_LINE_LENGTH:
        raise LabelListError(
            f"{where}: {len(text)} characters, at most {MAX_LINE_LENGTH} are allowed",
            "Write one diagnosis a line, in a few words.",
        )
    for character in text:
        if character != "\t" and unicodedata.category(character) in _INVISIBLE:
            raise LabelListError(
                f"{where}: invisible character U+{ord(character):04X} in it, text is expected",
                "Type the line anew; it may have come along with copied text.",
            )
    parts = tuple(part.strip() for part in text.split("|"))
    for part in parts:
        if not any(character.isalnum() for character in part):
            raise LabelListError(
                f"{where}: {part!r} is not a diagnosis, words are expected"
                if part
                else f"{where}: a synonym is empty, words are expected on both sides of '|'",
                "Write synonyms as 'atrial fibrillation | auricular fibrillation'.",
            )
    return ListLine(number=number, text=text, parts=parts)
