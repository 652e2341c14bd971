"""A list of diagnoses in TOML form: severity, group, threshold and counter-prompts too.

    [[diagnosis]]
    name = "atrial fibrillation"
    synonyms = ["auricular fibrillation"]
    counter_prompts = ["sinus rhythm"]
    group = "rhythm"
    severity = "attention"
    threshold = "top 2 %"

Only ``name`` is needed. With ``code``, the line means that code and the name is for show.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ecgscreen.asked_threshold import parse_threshold
from ecgscreen.errors import LabelListError
from ecgscreen.label_list_faults import FAULTS_NAMED, Faults, LineError, Place
from ecgscreen.label_list_file import ListLine, check_count, check_text, decode_list
from ecgscreen.reports.diagnosis_row import SEVERITIES
from ecgscreen.wording import counted

TABLE = "diagnosis"
KEYS = ("name", "code", "synonyms", "counter_prompts", "group", "severity", "threshold")
_SHOWN = 80
MAX_WORDINGS = 50
"""Synonyms, or counter-prompts, of one diagnosis."""

_ADVICE = f"An entry begins with a line [[{TABLE}]]; its keys are {', '.join(KEYS)}."
# Strings and comments are matched so that what they hold is taken for neither table nor key.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*'
    rf"|^[ \t]*(?P<table>\[\[[ \t]*{TABLE}[ \t]*\]\])|^[ \t]*(?P<key>[\w-]+)[ \t]*=",
    re.MULTILINE | re.DOTALL,
)
_QUOTED = re.compile(r'"(?:\\.|[^"\\\n])*"?|\'[^\'\n]*\'?|#[^\n]*')
_MAX_DOTS = 16
"""Of a line, outside of texts and comments: `tomllib` takes time and memory with the square of a
key's parts. No key of a list has more than one."""
_SYNTAX_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True)
class _Entry:
    """A table of the file: where it and its keys begin, and where it ends, in characters."""

    start: int
    end: int
    keys: Mapping[str, int]


class _Source:
    """The text, to find again what `tomllib` gives without its place."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def entries(self) -> list[_Entry]:
        """The tables, in the order of the file."""
        tables: list[tuple[int, dict[str, int]]] = []
        for token in _TOKEN.finditer(self.text):
            if token["table"]:
                tables.append((token.start("table"), {}))
            elif token["key"] and tables:
                tables[-1][1][token["key"]] = token.start("key")
        ends = [*(start for start, _ in tables), len(self.text)][1:]
        return [_Entry(start, end, keys) for (start, keys), end in zip(tables, ends, strict=True)]

    def place(self, offset: int) -> Place:
        """Line and column of a character."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def key_place(self, entry: _Entry, key: str, value: str = "") -> Place:
        """Where a key stands, or a text of its value; a key in quotes is not found: the table."""
        start = entry.keys.get(key, entry.start)
        at = self.text.find(value, start, entry.end) if value else -1
        return self.place(start if at < 0 else at)

    def error(self, place: Place, message: str) -> LineError:
        """An error that names the place."""
        return LineError(self.name, place, message, _ADVICE)


def parse_toml(name: str, content: bytes, faults: Faults) -> tuple[ListLine, ...]:
    """Read the content of a list in TOML form.

    Parameters
    ----------
    name
        Name of the list, for messages.
    content
        The bytes of the file.
    faults
        Where each bad key and value is put, with its place: unknown ones (with the nearest that is
        known), and words that `ecgscreen.label_list_file.check_text` refuses.

    Returns
    -------
    tuple of ListLine
        The entries without fault, in the order of the file, duplicates kept; at least one if there
        is no fault at all.

    Raises
    ------
    LabelListError
        If it is not UTF-8 or no TOML (with line and column: nothing after it can be understood), or
        has no diagnosis or too many.
    """
    text = decode_list(name, content).replace("\r\n", "\n")
    source = _Source(name, text)
    for number, row in enumerate(_QUOTED.sub("", text).split("\n"), start=1):
        if row.count(".") > _MAX_DOTS:
            raise source.error((number, 1), f"a key of more than {_MAX_DOTS} parts")
    try:
        document = tomllib.loads(text)
    # ValueError alone: a whole number of more digits than Python turns into one.
    except (ValueError, RecursionError) as error:
        found = _SYNTAX_PLACE.search(str(error))
        last = source.place(len(text))
        place = (int(found[1]), int(found[2])) if found else last
        what = _SYNTAX_PLACE.sub("", str(error))
        raise source.error(place, f"not TOML: {what}") from error
    others = [key for key in document if key != TABLE]
    for key in others[:FAULTS_NAMED]:
        at = re.search(rf"^[ \t\[]*{re.escape(key)}", text, re.MULTILINE)
        faults.add(
            source.error(
                source.place(at.end() - len(key) if at else 0),
                f"{_shown(key)} is not part of a list, [[{TABLE}]] is expected",
            )
        )
    faults.n_more += len(others[FAULTS_NAMED:])
    tables = document.get(TABLE, [])
    if not tables and faults:
        return ()
    entries = source.entries()
    if not tables:
        held = counted(text.removesuffix("\n").count("\n") + 1, "line") if text else "no line"
        raise LabelListError(
            f"{name}: no diagnosis in it, at least one is expected; it has {held} and no "
            f"[[{TABLE}]]",
            _ADVICE,
        )
    if not isinstance(tables, list) or len(entries) != len(tables):
        raise LabelListError(
            f"{name}: diagnoses are not written as tables, a line [[{TABLE}]] before each is "
            "expected",
            _ADVICE,
        )
    check_count(name, len(tables))
    lines = (_line(source, *each, faults) for each in zip(entries, tables, strict=True))
    return tuple(line for line in lines if line is not None)


def _line(source: _Source, entry: _Entry, table: dict[str, Any], faults: Faults) -> ListLine | None:
    """An entry; None if it has a fault."""
    n_before = len(faults)
    _check_keys(source, entry, table, faults)
    texts: dict[str, tuple[str, Place]] = {}
    for key in ("name", "code", "group"):
        with faults.caught():
            if key in table:
                texts[key] = _text(source, entry, table, key)
    severity = table.get("severity", "info")
    with faults.caught():
        if severity not in SEVERITIES:
            raise source.error(
                source.key_place(entry, "severity"),
                f"severity {_shown(severity)}, one of {', '.join(SEVERITIES)} is expected"
                f"{_nearest(_shown(severity), SEVERITIES)}",
            )
    asked = None
    try:
        asked = parse_threshold(table["threshold"]) if "threshold" in table else None
    except ValueError as error:
        faults.add(source.error(source.key_place(entry, "threshold"), str(error)))
    synonyms, counters = (
        _texts(source, entry, table, key, faults) for key in ("synonyms", "counter_prompts")
    )
    if len(faults) > n_before:
        return None
    name, name_place = texts["name"]
    meant, meant_place = texts.get("code", texts["name"])
    return ListLine(
        number=name_place[0],
        text=name,
        parts=(meant, *(text for text, _ in synonyms)),
        places=(meant_place, *(place for _, place in synonyms)),
        counter_parts=tuple(text for text, _ in counters),
        counter_places=tuple(place for _, place in counters),
        group=texts["group"][0] if "group" in texts else "",
        severity=severity,
        asked=asked,
    )


def _check_keys(source: _Source, entry: _Entry, table: dict[str, Any], faults: Faults) -> None:
    for key in table:
        if key in KEYS:
            continue
        if faults.full:
            faults.n_more += 1
            continue
        message = f"unknown key {_shown(key)}{_nearest(key[:_SHOWN], KEYS)}"
        faults.add(source.error(source.key_place(entry, key), message))
    if "name" not in table:
        faults.add(source.error(source.place(entry.start), "an entry without name"))


def _text(source: _Source, entry: _Entry, table: dict[str, Any], key: str) -> tuple[str, Place]:
    value = table[key]
    if not isinstance(value, str) or not value.strip():
        raise source.error(
            source.key_place(entry, key), f"{key} is {_shown(value)}, words are expected"
        )
    place = source.key_place(entry, key, value)
    check_text(source.name, value.strip(), place)
    return value.strip(), place


def _texts(
    source: _Source, entry: _Entry, table: dict[str, Any], key: str, faults: Faults
) -> list[tuple[str, Place]]:
    values = table.get(key, [])
    if not isinstance(values, list) or len(values) > MAX_WORDINGS:
        message = f"{key} is no list of at most {MAX_WORDINGS} texts"
        faults.add(source.error(source.key_place(entry, key), message))
        return []
    found = []
    for value in values:
        with faults.caught():
            found.append(_text(source, entry, {key: value}, key))
    return found


def _shown(value: object) -> str:
    """A value as a message has it: a list may hold what no message can."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number, or a depth, beyond Python's limits
        return "what cannot be shown"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _nearest(text: str, known: tuple[str, ...]) -> str:
    found = get_close_matches(text.lower(), known, n=1)
    return f" (did you mean {found[0]!r}?)" if found else f" (known: {', '.join(known)})"
