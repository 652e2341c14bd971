"""What a comparison says, in the languages of ``report.html``."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from functools import cache
from importlib import resources

from ecgscreen.compare.changes import Change, Finding, Kind, State
from ecgscreen.compare.comparable import Notice
from ecgscreen.compare.job import Comparison
from ecgscreen.reports.diagnosis_row import DiagnosisRow
from ecgscreen.reports.html.words import Words, load_words
from ecgscreen.results import printable

ARROW = " → "
UNKNOWN = "-"


@cache
def compare_words(language: str) -> Words:
    """Read the words of a language: those of the page of a scan, and a comparison's own.

    Raises
    ------
    ValueError
        If it is none of `ecgscreen.reports.html.words.LANGUAGES`.
    """
    words = load_words(language)
    file = resources.files("ecgscreen.compare").joinpath(f"{language}.toml")
    return replace(words, page={**words.page, **tomllib.loads(file.read_text(encoding="utf-8"))})


def notice_text(notice: Notice, words: Words) -> str:
    """Put a notice into words."""
    return words[notice.key].format(**notice.values)


def all_notices(comparison: Comparison, words: Words) -> list[str]:
    """Everything to know before the figures are read."""
    moves = comparison.moves
    scale = words["no_moves"]
    if moves.score < float("inf"):
        scale = words["moves"].format(
            score=words.number(moves.score, 2), percentile=words.number(moves.percentile, 0)
        )
    lost = [words["lost_means"]] if comparison.counts[Kind.RESULT_LOST] else []
    return [*(notice_text(each, words) for each in comparison.notices), scale, *lost]


def state_text(change: Change, words: Words) -> str:
    """Status and quality before and now, in one phrase."""
    before, after = (
        UNKNOWN if state is None else _state(state, words) for state in (change.old, change.new)
    )
    return after if before == after else f"{before}{ARROW}{after}"


def figure_texts(finding: Finding, words: Words) -> tuple[str, str]:
    """Score and percentile of a diagnosis before and now."""
    return (
        _both(finding.old_score, finding.new_score, 3, words),
        _both(finding.old_percentile, finding.new_percentile, 1, words),
    )


def finding_text(finding: Finding, diagnosis: DiagnosisRow, words: Words) -> str:
    """One diagnosis's change on one line."""
    score, _ = figure_texts(finding, words)
    return f"{words[finding.kind]}: {printable(diagnosis.name)} ({score})"


def kinds_text(change: Change, words: Words) -> str:
    """What changed besides the diagnoses that are named one by one."""
    named = {finding.kind for finding in change.findings}
    return ", ".join(words[kind] for kind in change.kinds if kind not in named)


def _state(state: State, words: Words) -> str:
    if state.n_recordings:
        n, of = words.count(state.n_scored), words.count(state.n_recordings)
        return words["scored_of"].format(n=n, of=of)
    if state.is_scored:
        return words.quality_phrase(printable(state.quality))
    status = words.page.get(f"status_{state.status}", printable(state.status))
    reason = words.reason(printable(state.reason))
    return f"{status} ({reason})" if reason else status


def _both(old: float, new: float, digits: int, words: Words) -> str:
    before, after = (
        UNKNOWN if math.isnan(value) else words.number(value, digits) for value in (old, new)
    )
    return f"{before}{ARROW}{after}"
