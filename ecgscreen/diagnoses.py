"""The list of diagnoses that a site wrote -> `Diagnosis` objects, resolved by the vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ecgscreen.asked_threshold import AskedThreshold
from ecgscreen.errors import LabelListError
from ecgscreen.label_list_faults import Faults, FaultyLinesError, Place
from ecgscreen.label_list_file import ListLine, parse_lines, read_list_file
from ecgscreen.label_list_toml import parse_toml
from ecgscreen.vocabulary import Vocabulary, load_vocabulary

Source = Literal["vocabulary", "zero-shot", "mixed"]


@dataclass(frozen=True)
class Diagnosis:
    """One line of a list.

    Attributes
    ----------
    name
        The line as written, without its comment; of a TOML list, the entry's name.
    concept_ids
        Concepts of its synonyms that the vocabulary knows, in their order, none twice.
    free_texts
        Its other synonyms, in their order: only a language model can embed them.
    code
        Id of the concept if the line means one concept and nothing else, else empty.
    severity
        ``info``, ``attention`` or ``critical``; a text list has only ``info``.
    source
        How the line was resolved: ``vocabulary`` (all of it), ``zero-shot`` (no part of
        it) or ``mixed``.
    line
        Line number in the file, from 1.
    group
        The heading that it stands under; empty without.
    asked
        The threshold that the list asks for; None without.
    counter_concept_ids, counter_free_texts
        What it is told from: the same of its counter-prompts, such as "sinus rhythm".
    free_places
        Where the free texts stand, then those of the counter-prompts.
    """

    name: str
    concept_ids: tuple[str, ...]
    free_texts: tuple[str, ...]
    code: str
    severity: str
    source: Source
    line: int
    group: str = ""
    asked: AskedThreshold | None = None
    counter_concept_ids: tuple[str, ...] = ()
    counter_free_texts: tuple[str, ...] = ()
    free_places: tuple[Place, ...] = ()

    @property
    def has_counter(self) -> bool:
        """Whether its score is against something: no other line's threshold goes with it."""
        return bool(self.counter_concept_ids or self.counter_free_texts)

    @property
    def all_free_texts(self) -> tuple[str, ...]:
        """All that only a language model can embed, in the order of `free_places`."""
        return self.free_texts + self.counter_free_texts


@dataclass(frozen=True)
class DiagnosisList:
    """A whole list.

    Attributes
    ----------
    name
        The path as given, or the file name of a shipped list.
    sha256
        Of the bytes of the file, hexadecimal.
    diagnoses
        In the order of the file; lines that say the same twice are kept.
    text
        The content of the file.
    """

    name: str
    sha256: str
    diagnoses: tuple[Diagnosis, ...]
    text: str


def load_list(name_or_path: str) -> DiagnosisList:
    """Read a list of diagnoses and look each line up in the vocabulary.

    Parameters
    ----------
    name_or_path
        A file, TOML by its name or else text; if there is none, a list that ships, with or
        without its ending.

    Returns
    -------
    DiagnosisList
        At least one diagnosis. Words that the vocabulary does not know are no error here:
        see `unknown_lines` and `ecgscreen.prompts`.

    Raises
    ------
    LabelListError
        If there is no such list, or it cannot be understood (`parse_lines`, `parse_toml`).
    FaultyLinesError
        If some of its lines cannot; it has what is understood of the others.
    """
    name, content = read_list_file(name_or_path)
    parse = parse_toml if name.lower().endswith(".toml") else parse_lines
    faults = Faults()
    lines = parse(name, content, faults)
    vocabulary = load_vocabulary()
    listed = DiagnosisList(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        diagnoses=tuple(_resolve(line, vocabulary) for line in lines),
        text=content.decode("utf-8", "surrogateescape"),  # UTF-8, or it would be refused above
    )
    if faults:
        raise FaultyLinesError(faults, understood=listed)
    return listed


def load_words(words: str, against: Sequence[str] = ()) -> DiagnosisList:
    """Understand one diagnosis that somebody typed, as a line of a list.

    Parameters
    ----------
    words
        As in a text list: ``a | b`` are synonyms.
    against
        Its counter-prompts, such as ``sinus rhythm``; synonyms likewise.

    Returns
    -------
    DiagnosisList
        Of one diagnosis.

    Raises
    ------
    LabelListError
        As `load_list`; named ``--diagnosis`` and ``--against`` instead of a file.
    """
    content = words.encode("utf-8", "surrogateescape")
    line = _only_line("--diagnosis", content)
    counter = [_only_line("--against", each.encode("utf-8", "surrogateescape")) for each in against]
    line = replace(
        line,
        counter_parts=tuple(part for each in counter for part in each.parts),
        counter_places=tuple(place for each in counter for place in each.places),
    )
    return DiagnosisList(
        name="--diagnosis",
        sha256=hashlib.sha256(content).hexdigest(),
        diagnoses=(_resolve(line, load_vocabulary()),),
        text=words,
    )


def _only_line(name: str, content: bytes) -> ListLine:
    faults = Faults()
    lines = parse_lines(name, content, faults)
    if faults:
        raise FaultyLinesError(faults)
    if len(lines) > 1:
        raise LabelListError(
            f"{name}: {len(lines)} lines, one diagnosis is expected",
            "Write synonyms as 'atrial fibrillation | auricular fibrillation'.",
        )
    return lines[0]


def unknown_lines(diagnosis_list: DiagnosisList) -> tuple[Diagnosis, ...]:
    """Lines with words outside the vocabulary: they need a language model."""
    return tuple(diagnosis for diagnosis in diagnosis_list.diagnoses if diagnosis.all_free_texts)


def _resolve(line: ListLine, vocabulary: Vocabulary) -> Diagnosis:
    concept_ids, free = _look_up(line.parts, line.places, vocabulary)
    counter_ids, counter_free = _look_up(line.counter_parts, line.counter_places, vocabulary)
    source: Source = "mixed" if concept_ids else "zero-shot"
    if not free:
        source = "vocabulary"
    only_one = len(concept_ids) == 1 and not free
    return Diagnosis(
        name=line.text,
        concept_ids=concept_ids,
        free_texts=tuple(free),
        code=concept_ids[0] if only_one else "",
        severity=line.severity,
        source=source,
        line=line.number,
        group=line.group,
        asked=line.asked,
        counter_concept_ids=counter_ids,
        counter_free_texts=tuple(counter_free),
        free_places=(*free.values(), *counter_free.values()),
    )


def _look_up(
    parts: Sequence[str], places: Sequence[Place], vocabulary: Vocabulary
) -> tuple[tuple[str, ...], dict[str, Place]]:
    """Ids of the known concepts, and the unknown texts with their first place, none twice."""
    # By keys: two synonyms of one concept must not count twice in the mean.
    known: dict[str, None] = {}
    free: dict[str, Place] = {}
    for part, place in zip(parts, places, strict=True):
        concept = vocabulary.find(part)
        if concept is None:
            free.setdefault(part, place)
        else:
            known[concept.id] = None
    return tuple(known), free
