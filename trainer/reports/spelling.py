"""One spelling for every word: characters, umlauts, typing errors, white space."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from ecgscreen.vocabulary import fold
from trainer.reports.glossary import FILES, load_glossary, spelled_words
from trainer.reports.tables import read_table
from trainer.reports.tokens import stem, tokenise

_SHORTEST_CORRECTED = 8
_SHORTEST_RESPELLED = 4
_LETTERS = "abcdefghijklmnopqrstuvwxyzäöüåß"
_BASE_LETTERS = str.maketrans("äöüå", "aoua")
# A bracketed letter or two inside a term ("QRS(T)") is part of it, no remark.
_BRACKETED = re.compile(r"(?<=\w)\((\w{1,2})\)")
# "V. a.", "z. B.": written apart, their full stops would look like those of sentences.
_SPACED_ABBREVIATION = re.compile(r"\b([vzduo])\.\s+([atbh])\.")
_WORD = re.compile(r"[^\W\d_]+")


def tidy(text: str) -> str:
    """Lower case, whole characters, single spaces; no word is changed.

    UTF-8 that was read as Latin-1 or Windows-1252 ("Ã¤") is put right, remnants of control
    codes go, and "extrasystole(n)" is one word.

    Parameters
    ----------
    text
        A report as it comes.
    """
    spelling = read_table("writing.toml")["spelling"]
    for broken, letter in _broken_letters().items():
        text = text.replace(broken, letter)
    text = unicodedata.normalize("NFC", text).lower()
    text = re.sub(spelling["remnants"], " ", text)
    text = re.sub(spelling["optional_plural"], "", text)
    text = _BRACKETED.sub(r"-\1", text)
    text = _SPACED_ABBREVIATION.sub(r"\1.\2.", text)
    return " ".join(text.split())


def correct(text: str) -> str:
    """Spell the words of a tidy text as the glossary does.

    ae, oe and ue become umlauts in words that the glossary knows with umlauts, and so does the
    sign that a wrong character set left in an umlaut's place ("f#r"); listed misspellings are
    replaced; a long word that is one typing error away from exactly one known word becomes that
    word. A known word is never changed, and never the first letter of one ("atypical").

    Parameters
    ----------
    text
        As `tidy` gives it.
    """
    table = read_table("writing.toml")["spelling"]
    text = _lost_umlaut_pattern().sub(_restore_umlaut, text)
    for wrong, right in table["misspelled"].items():
        text = re.sub(rf"\b{re.escape(wrong)}\b", right, text)
    return _WORD.sub(lambda match: _respell(match.group()), text)


@cache
def _broken_letters() -> dict[str, str]:
    broken = {}
    for letter in "äöüßåéÄÖÜÅÉ":
        for codec in ("latin-1", "cp1252"):
            broken[letter.encode().decode(codec, errors="ignore")] = letter
    # A byte that the codec has no sign for would leave a lone A with tilde.
    return {signs: letter for signs, letter in broken.items() if len(signs) == 2}


@cache
def _lost_umlaut_pattern() -> re.Pattern[str]:
    signs = re.escape("".join(read_table("writing.toml")["spelling"]["lost_umlaut"]))
    return re.compile(rf"\w*[{signs}]\w[\w{signs}]*")


def _restore_umlaut(match: re.Match[str]) -> str:
    signs = "".join(read_table("writing.toml")["spelling"]["lost_umlaut"])
    shape = re.sub(f"[{re.escape(signs)}]", "#", match.group())
    return _words_without_umlaut().get(shape, match.group())


@cache
def _words_without_umlaut() -> dict[str, str]:
    # German first: only its exports lost umlauts that way ("f#r" is "für", not "för").
    words = (
        token.text
        for language in sorted(FILES)
        for term in load_glossary(language).terms
        for token in tokenise(term)
    )
    restored: dict[str, str] = {}
    for word in words:
        restored.setdefault(re.sub("[äöüßå]", "#", word), word)
    return restored


@cache
def _respell(word: str) -> str:
    known = spelled_words()
    key = fold(word)
    spellings = known.get(key)
    if spellings is not None:
        if word in spellings or len(spellings) > 1 or len(word) < _SHORTEST_RESPELLED:
            return word
        return next(iter(spellings))
    if len(word) < _SHORTEST_RESPELLED:
        return word
    if word in (accented := _words_without_accent()):
        return accented[word]
    if len(word) < _SHORTEST_CORRECTED or _is_inflected(key):
        return word
    near = {spelling for edit in _one_edit(word) for spelling in known.get(fold(edit), ())}
    near = {other for other in near if other[0] == word[0]}
    return near.pop() if len(near) == 1 else word


@cache
def _words_without_accent() -> dict[str, str]:
    """Swedish and German words typed on a keyboard that has no accents."""
    accented = {}
    for spellings in spelled_words().values():
        for word in spellings:
            plain = word.translate(_BASE_LETTERS)
            if plain != word and plain not in spelled_words():
                accented[plain] = word
    return accented


@cache
def _known_stems() -> frozenset[str]:
    return frozenset(stem(key) for key in spelled_words())


def _is_inflected(key: str) -> bool:
    return stem(key) in _known_stems() or key in _known_stems()


def _one_edit(word: str) -> set[str]:
    """Every text that one typing error turns the word into (Damerau, CACM 1964)."""
    splits = [(word[:i], word[i:]) for i in range(1, len(word) + 1)]
    left_out = {head + tail[1:] for head, tail in splits if tail}
    swapped = {head + tail[1] + tail[0] + tail[2:] for head, tail in splits if len(tail) > 1}
    replaced = {head + letter + tail[1:] for head, tail in splits if tail for letter in _LETTERS}
    added = {head + letter + tail for head, tail in splits for letter in _LETTERS}
    return left_out | swapped | replaced | added
