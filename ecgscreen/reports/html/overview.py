"""The night at a glance: counts, diagnoses, and what was not scored and why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from ecgscreen.reports.diagnosis_row import SEVERITIES, DiagnosisRow
from ecgscreen.reports.html.words import Words
from ecgscreen.reports.provenance import Provenance
from ecgscreen.reports.tally import DiagnosisSummary, RankedRecord, RunSummary
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
    if not any(row.can_be_flagged for row in rows):
        said.append(words["notice_ranked"])
    if unseen := sum(not row.seen for row in rows):
        counts = {"n": words.count(unseen), "of": words.count(len(rows))}
        said.append(words["notice_unseen"].format(**counts))
    return "".join(f'<p class="warning" role="note">{text}</p>\n' for text in said)


def _counts(summary: RunSummary, made: Provenance, words: Words) -> str:
    # Of a screening's first run all is new, and after a rescore nothing is.
    grew = made.run > 1 and not made.rescored
    flaggable = [each.diagnosis for each in summary.diagnoses if each.diagnosis.can_be_flagged]
    has_normal = any(not row.is_finding for row in flaggable)
    counts = [(summary.n_records, "recordings", "")]
    counts += [(made.n_new[0], "new", "")] if grew else []
    if flaggable:
        counts.append((summary.n_with_finding, "with_finding", "strips"))
        counts.append((summary.n_scored - summary.n_flagged, "not_flagged", ""))
        n_normal = summary.n_flagged - summary.n_with_finding
        counts += [(n_normal, "normal_only", "")] if has_normal else []
    else:  # "0 flagged with a finding" would say that nobody has any
        counts.append((summary.n_scored, "ranked_only", ""))
    counts += [(summary.n_not_scored, "not_scored", "not-scored"), (made.n_ignored, "ignored", "")]
    items = "".join(_counted(n, words[key], place, words) for n, key, place in counts)
    return f'<ul class="counts">{items}</ul>\n'


def _counted(n: int, what: str, place: str, words: Words) -> str:
    """A count; one to look at leads to its place on the page."""
    text = f"<b>{words.count(n)}</b>{what}"
    if place and n:
        return f'<li class="look"><a href="#{place}">{text}</a></li>'
    return f"<li>{text}</li>"


def _diagnoses(summary: RunSummary, words: Words) -> str:
    rows = [each.diagnosis for each in summary.diagnoses]
    graded, grouped = is_graded(rows), any(row.group for row in rows)
    begin, end = [(words["diagnosis"], "")], [(words["rests_on"], ""), (words["highest"], "path")]
    begin += [(words["group"], "")] if grouped else []
    begin += [(words["severity"], "")] if graded else []
    figures = [(words["n_flagged"], "number"), (words["threshold"], "number")]
    ordered = sorted(summary.diagnoses, key=_by_urgency)

    def of(*, flaggable: bool) -> list[list[str]]:
        return [
            _diagnosis(each, words, graded=graded, grouped=grouped)
            for each in ordered
            if each.diagnosis.can_be_flagged is flaggable
        ]

    text = f"<h3>{words['by_diagnosis']}</h3>\n"
    if flagged := of(flaggable=True):
        text += table([*begin, *figures, *end], flagged, words["by_diagnosis"])
    if ranked := of(flaggable=False):
        inside = table([*begin, *end], ranked, words["ranked_only"])
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
    n_flagged = words.count(each.n_flagged)
    if not row.seen:  # of the others nobody knows
        n_flagged = words["flagged_unseen"].format(n=n_flagged)
    return [
        escape(words.diagnosis(row.name)),
        *([escape(printable(row.group))] if grouped else []),
        *([severity_mark(row, words)] if graded else []),
        *([n_flagged, words.number(row.threshold, 3)] if row.can_be_flagged else []),
        escape(
            "; ".join(
                filter(
                    None,
                    (
                        words.reason(row.source),
                        words.note(printable(row.criterion)),
                        words.note(printable(row.note)),
                    ),
                )
            )
        ),
        "".join(f"<span>{_ranked(record, words)}</span>" for record in each.highest),
    ]


def _ranked(record: RankedRecord, words: Words) -> str:
    """A recording with its score, and where that lies among others: scores have no common scale."""
    said = words.number(record.score, 3)
    if not math.isnan(record.percentile):
        said += f"; {words['percentile_at']} {words.number(record.percentile, 1)}"
    return f"{path_text(record.path)} ({said})"


def path_text(path: str) -> str:
    """A path as HTML that is parted after a slash, before any name is."""
    return escape(printable(path)).replace("/", "/<wbr>")


def _not_scored(summary: RunSummary, words: Words) -> str:
    title = f'<h3 id="not-scored" tabindex="-1">{words["why_not_scored"]}</h3>\n'
    if not summary.n_not_scored:
        return f"{title}<p>{words['all_scored']}</p>\n"
    reasons = [
        (escape(words.reason(printable(reason))), words.count(count))
        for reason, count in summary.by_reason.items()
    ]
    named = [
        (
            path_text(result.path),
            escape(words.reason(printable(result.reason))),
            escape(words.detail(result)),
        )
        for result in summary.not_scored
    ]
    more = ""
    if summary.n_not_scored > len(named):
        n = words.count(summary.n_not_scored - len(named))
        more = f"<p>{words['more_rows'].format(n=n)}</p>\n"
    columns = ((words["reason"], ""), (words["count"], "number"))
    return (
        f"{title}<p>{words['never_negative']}</p>\n"
        # Where each is named there is nothing to sum up.
        + (table(columns, reasons, words["why_not_scored"]) if more else "")
        + table(
            ((words["recording"], ""), (words["reason"], ""), (words["detail"], "")),
            named,
            words["not_scored"],
        )
        + more
    )
