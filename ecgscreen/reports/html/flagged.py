"""The recordings with a finding, worst first: figures, and the strip as the recording came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape

from ecgscreen.quality_remarks import not_judged
from ecgscreen.readers.base import reason_of
from ecgscreen.recording import LEADS, RecordingError, SkippedRecording
from ecgscreen.reports.beside import Beside
from ecgscreen.reports.content import Report
from ecgscreen.reports.html.overview import is_graded, severity_mark, table
from ecgscreen.reports.html.rows import Row
from ecgscreen.reports.html.words import Words, load_words
from ecgscreen.reports.tally import RunSummary
from ecgscreen.results import printable
from ecgscreen.scoring import LONG_S
from ecgscreen.strip import STRIP_S, cut_pieces, draw_strip

MAX_STRIP_SAMPLES = 1 << 25
"""Larger recordings, all leads together, are not read again for a strip: 128 MB."""

STRIPS_AT_ONCE = 4
"""Recordings that are drawn before it is asked whether another process is free: a few hundredths
of a second."""

READ_IN_PIECES = (".hea", ".edf", ".ecg")
"""Of these no more is read than is drawn."""


def flagged_section(
    rows: Sequence[Row],
    summary: RunSummary,
    report: Report,
    words: Words,
    beside: Beside | None = None,
) -> Iterator[str]:
    """Yield the section, an article a recording.

    Parameters
    ----------
    rows
        Those to draw, worst first.
    summary
        For how many there are.
    report
        For the diagnoses and the recordings.
    words
        Of the page.
    beside
        Another process, which draws some of them.
    """
    yield (
        f'<section aria-labelledby="strips"><h2 id="strips">{words["strips"]}</h2>\n'
        f'<p class="screen"><a href="#table-title">{words["back"]}</a></p>\n'
    )
    if not rows:
        any_flag = any(row.can_be_flagged for row in report.diagnoses)
        yield f"<p>{words['strips_none' if any_flag else 'strips_cannot']}</p>\n"
    elif summary.n_with_finding > len(rows):
        shown, n = words.count(len(rows)), words.count(summary.n_with_finding)
        yield f"<p>{words['strips_capped'].format(shown=shown, n=n)}</p>\n"
    if n_normal := summary.n_flagged - summary.n_with_finding:
        yield f"<p>{words['strips_normal'].format(n=words.count(n_normal))}</p>\n"
    yield from _articles(rows, report, words, beside)
    yield "</section>\n"


def _articles(
    rows: Sequence[Row], report: Report, words: Words, beside: Beside | None
) -> Iterator[str]:
    """Yield the articles in order; when the other process is free, it takes some of the last."""
    left = deque(rows)
    elsewhere: list[Callable[[], list[str]]] = []
    while left:
        if beside is not None and beside.helper.is_free:
            n_taken = min(len(left), max(STRIPS_AT_ONCE, len(left) // 3))
            taken = [left.pop() for _ in range(n_taken)][::-1]
            errand = partial(_articles_beside, beside.report, taken, words.language)
            elsewhere.append(beside.helper.begin(errand))
        for _ in range(min(len(left), STRIPS_AT_ONCE)):
            yield _article(left.popleft(), report, words)
    for articles in reversed(elsewhere):
        yield from articles()


def _articles_beside(report: Callable[[], Report], rows: Sequence[Row], language: str) -> list[str]:
    return list(_articles(rows, report(), load_words(language), None))


def _article(row: Row, report: Report, words: Words) -> str:
    name = escape(row.name)
    spoken = escape(words["reviewed_one"].format(name=row.name))
    return (
        f'<article id="r-{row.record_id}" tabindex="-1" aria-labelledby="n-{row.record_id}">'
        f'<header><h3 id="n-{row.record_id}">{name}</h3>'
        f'<label class="screen" hidden><input type="checkbox" data-id="{row.record_id}" '
        f'aria-label="{spoken}"> {words["reviewed"]}</label></header>\n'
        f"{_figures(row, report, words)}{_facts(row, words)}{_strip(row, report, words)}"
        "</article>\n"
    )


def _figures(row: Row, report: Report, words: Words) -> str:
    graded = is_graded(report.diagnoses)
    columns = [(words["flagged"], ""), *([(words["severity"], "")] if graded else [])]
    columns += [(words["score"], "number"), (words["threshold"], "number")]
    if report.has_percentiles:
        columns.append((words["percentile"], "number"))
    if report.has_probabilities:
        columns.append((words["probability"], "number"))

    def figure(values: list[int | None], k: int, factor: int, digits: int) -> str:
        value = values[k] if values else None
        return "" if value is None else words.number(value / factor, digits)

    cells = []
    for k in row.flagged:
        diagnosis = report.diagnoses[k]
        normal = "" if diagnosis.is_finding else " normal"
        mark = ""
        if row.no_amplitude and diagnosis.rests_on_voltage:
            mark = f'<br><span class="soft">{words["no_amplitude"]}</span>'
        group = f'<br><span class="soft">{escape(printable(diagnosis.group))}</span>'
        cells.append(
            [
                f'<span class="flag {diagnosis.severity}{normal}">'
                f"{escape(words.diagnosis(diagnosis.name))}</span>"
                f"{group if diagnosis.group else ''}{mark}",
                *([severity_mark(diagnosis, words)] if graded else []),
                figure(row.scores, k, 1000, 3),
                words.number(diagnosis.threshold, 3),
                *([figure(row.percentiles, k, 10, 1)] if report.has_percentiles else []),
                *([figure(row.probabilities, k, 1000, 3)] if report.has_probabilities else []),
            ]
        )
    return table(columns, cells, words["flagged"])


def _facts(row: Row, words: Words) -> str:
    n_leads = len(row.leads.split())
    leads = f"{n_leads}/{len(LEADS)}" + (f" ({row.leads})" if n_leads < len(LEADS) else "")
    facts = [(words["quality"], row.quality), (words["leads"], leads)]
    if row.length_s is not None and row.rate is not None:
        length = words.length(row.length_s)
        length = f"{length}, {words.number(row.rate, 0)} Hz"
        facts.append((words["length"], length))
        if beyond := not_judged(row.rate):
            facts.append((words["not_judged"], words.quality_phrase(", ".join(beyond))))
    if row.acquired:
        facts.append((words["acquired"], row.acquired))
    if row.notes:
        facts.append((words["notes"], row.notes))
    text = " · ".join(f'<span class="soft">{key}:</span> {escape(value)}' for key, value in facts)
    return f'<p class="facts">{text}</p>\n'


def _strip(row: Row, report: Report, words: Words) -> str:
    n_samples = (row.length_s or 0) * (row.rate or 0) * len(row.leads.split())
    if report.read is None:
        return _without(words["no_source"], words)
    name = row.path or row.name
    if n_samples > MAX_STRIP_SAMPLES and not name.casefold().endswith(READ_IN_PIECES):
        return _without(words["too_long"], words)
    opened = report.read(name)
    if isinstance(opened, SkippedRecording):
        return _without(f"{words.reason(opened.reason)}: {words.note(opened.detail)}", words)
    try:
        segment = cut_pieces(opened, row.start_s or 0.0)
    except RecordingError as error:
        return _without(f"{words.reason(error.reason)}: {words.note(error.detail)}", words)
    except OSError as error:
        reason, detail = reason_of(error)
        return _without(f"{words.reason(reason)}: {words.note(detail)}", words)
    chosen = ""
    if opened.duration_s > STRIP_S:
        worst = printable(report.diagnoses[row.flagged[0]].name)
        is_long = opened.duration_s > LONG_S
        text = words["window_at" if is_long else "window"].format(
            name=worst, time=words.clock(segment.start_s)
        )
        chosen = f'<p class="facts">{escape(text)}</p>\n'
    drawing = draw_strip(segment, row.name, words.language, with_paper_definition=False)
    return f"{chosen}{drawing}\n"


def _without(reason: str, words: Words) -> str:
    return f"<p>{escape(printable(words['no_strip'].format(reason=reason)))}</p>\n"
