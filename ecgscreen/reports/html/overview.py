"""The night at a glance: counts, diagnoses, and what was not scored and why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from ecgscreen.reports.content import SEVERITIES, DiagnosisRow, Provenance
from ecgscreen.reports.html.words import Words
from ecgscreen.reports.tally import DiagnosisSummary, RunSummary
from ecgscreen.results import printable


def overview(summary: RunSummary, made: Provenance, words: Words) -> str:
    """The section, as HTML."""
    return (
        f'<section aria-labelledby="glance"><h2 id="glance">{words["glance"]}</h2>\n'
        f"{_notices(summary, words)}{_counts(summary, made, words)}{_diagnoses(summary, words)}"
        f"{_not_scored(summary, words)}</section>\n"
    )


def table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], label: str) -> str:
    """A table of HTML cells.

    Parameters
    ----------
    columns
        Headings, each with a class of its cells: "number", "path" or empty.
    rows
        Cells, already escaped; the first of each row is its heading.
    label
        What the table is, for who cannot see it.
    """

    def styled(name: str) -> str:
        return f' class="{name}"' if name else ""

    heads = "".join(f'<th scope="col"{styled(kind)}>{title}</th>' for title, kind in columns)
    body = "".join(
        "<tr>"
        f'<th scope="row">{row[0]}</th>'
        + "".join(
            f"<td{styled(kind)}>{cell}</td>"
            for cell, (_, kind) in zip(row[1:], columns[1:], strict=True)
        )
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="scroll"><table aria-label="{escape(label)}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{body}</tbody></table></div>\n"
    )


def is_graded(rows: Iterable[DiagnosisRow]) -> bool:
    """Whether the list grades anything: only ``info`` beside an infarction would mislead."""
    return any(row.severity != "info" for row in rows)


def severity_mark(row: DiagnosisRow, words: Words) -> str:
    """A severity in its colour and in words."""
    return f'<span class="flag {row.severity}">{words[f"severity_{row.severity}"]}</span>'


def _notices(summary: RunSummary, words: Words) -> str:
    """What `ecgscreen.reports.notices` says, in the language of the page."""
    rows = [each.diagnosis for each in summary.diagnoses]
    said = [words["notice_critical"]] if any(row.severity == "critical" for row in rows) else []
    if unseen := sum(not row.seen for row in rows):
        counts = {"n": words.count(unseen), "of": words.count(len(rows))}
        said.append(words["notice_unseen"].format(**counts))
    return "".join(f'<p class="warning" role="note">{text}</p>\n' for text in said)


def _counts(summary: RunSummary, made: Provenance, words: Words) -> str:
    # Of a screening's first run all is new, and after a rescore nothing is.
    grew = made.run > 1 and not made.rescored
    counts = (
        (summary.n_records, "recordings", False),
        *([(made.n_new[0], "new", False)] if grew else []),
        (summary.n_with_finding, "with_finding", True),
        (summary.n_flagged - summary.n_with_finding, "normal_only", False),
        (summary.n_scored - summary.n_flagged, "not_flagged", False),
        (summary.n_not_scored, "not_scored", True),
        (made.n_ignored, "ignored", False),
    )
    look_here = ' class="look"'
    items = "".join(
        f"<li{look_here if look and n else ''}><b>{words.count(n)}</b>{words[key]}</li>"
        for n, key, look in counts
    )
    return f'<ul class="counts">{items}</ul>\n'


def _diagnoses(summary: RunSummary, words: Words) -> str:
    rows = [each.diagnosis for each in summary.diagnoses]
    graded, grouped = is_graded(rows), any(row.group for row in rows)
    columns = [(words["diagnosis"], ""), (words["n_flagged"], "number")]
    columns += [(words["threshold"], "number"), (words["rests_on"], ""), (words["highest"], "path")]
    if graded:
        columns.insert(1, (words["severity"], ""))
    if grouped:
        columns.insert(1, (words["group"], ""))
    ordered = sorted(summary.diagnoses, key=_by_urgency)

    def of(*, flaggable: bool) -> list[list[str]]:
        return [
            _diagnosis(each, words, graded=graded, grouped=grouped)
            for each in ordered
            if math.isnan(each.diagnosis.threshold) != flaggable
        ]

    text = f"<h3>{words['by_diagnosis']}</h3>\n"
    if flagged := of(flaggable=True):
        text += table(columns, flagged, words["by_diagnosis"])
    if ranked := of(flaggable=False):
        inside = table(columns, ranked, words["ranked_only"])
        # Where nothing can be flagged, the order is all that there is: it is shown at once.
        is_open = "" if flagged else " open"
        text += (
            f"<details{is_open}><summary>{words['ranked_list'].format(n=len(ranked))}</summary>"
            f"{inside}</details>\n"
        )
    return text


def _by_urgency(each: DiagnosisSummary) -> tuple[bool, int, int]:
    row = each.diagnosis
    return not row.is_finding, SEVERITIES.index(row.severity), -each.n_flagged


def _diagnosis(each: DiagnosisSummary, words: Words, *, graded: bool, grouped: bool) -> list[str]:
    row = each.diagnosis
    known = not math.isnan(row.threshold)
    n_flagged = words.count(each.n_flagged)
    if not row.seen:  # of the others nobody knows
        n_flagged = words["flagged_unseen"].format(n=n_flagged)
    return [
        escape(printable(row.name)),
        *([escape(printable(row.group))] if grouped else []),
        *([severity_mark(row, words)] if graded else []),
        n_flagged if known else words["ranked_only"],
        words.number(row.threshold, 3) if known else "",
        escape(
            "; ".join(
                filter(
                    None, (words.reason(row.source), printable(row.criterion), printable(row.note))
                )
            )
        ),
        ", ".join(
            f"{escape(printable(record.path))} ({words.number(record.score, 3)})"
            for record in each.highest
        ),
    ]


def _not_scored(summary: RunSummary, words: Words) -> str:
    title = f"<h3>{words['why_not_scored']}</h3>\n"
    if not summary.n_not_scored:
        return f"{title}<p>{words['all_scored']}</p>\n"
    reasons = [
        (escape(words.reason(printable(reason))), words.count(count))
        for reason, count in summary.by_reason.items()
    ]
    named = [
        (
            escape(printable(result.path)),
            escape(words.reason(printable(result.reason))),
            escape(printable(" ".join(result.detail.split()))),
        )
        for result in summary.not_scored
    ]
    more = ""
    if summary.n_not_scored > len(named):
        n = words.count(summary.n_not_scored - len(named))
        more = f"<p>{words['more_rows'].format(n=n)}</p>\n"
    return (
        f"{title}<p>{words['never_negative']}</p>\n"
        + table(
            ((words["reason"], ""), (words["count"], "number")), reasons, words["why_not_scored"]
        )
        + table(
            ((words["recording"], ""), (words["reason"], ""), (words["detail"], "")),
            named,
            words["not_scored"],
        )
        + more
    )
