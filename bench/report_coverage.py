"""How much of the reports the glossary covers, and how well findings agree with the codes.

    python -m bench.report_coverage --data ../shared/data

The tables of `trainer.reports` were written from folds 1-8, their rules tried on folds 1-7 and
checked on fold 8; fold 9 had no part in them. Coverage is the share of tokens that stand in a
term of the glossary (leads and numbers count) and of sentences without any other token.
Agreement is that of the statements read out of a report with PTB-XL's codes, whatever their
likelihood. No report text is printed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from ecgscreen.vocabulary import load_vocabulary
from trainer.reports import Coverage, coverage, normalise, statements_from_report
from trainer.reports.agreement import Agreement, CodedReport, compare, read_coded_reports
from trainer.splits import parse_folds

FOLDERS = ("ptb-xl", "ptb-xl-zscored")
MIN_CODED = 10
"""Statements that fewer recordings carry are not shown."""


def main() -> None:
    """Parse the command line and print the tables of each set of folds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", nargs="+", default=["1-8", "9"], help="sets, such as 1-7 8 9")
    arguments = parser.parse_args()
    folders = [arguments.data / name for name in FOLDERS]
    for folds in arguments.folds:
        reports = list(read_coded_reports(folders, parse_folds(folds)))
        patients = len({report.patient for report in reports})
        print(f"## Folds {folds}: {len(reports)} reports of {patients} patients\n")
        print("\n".join([*coverage_table(reports), "", *superclass_table(reports), ""]))
        print("\n".join([*statement_table(reports), "", *limits(reports), ""]))


def coverage_table(reports: Iterable[CodedReport]) -> list[str]:
    """Coverage by the language of the sentence."""
    totals: dict[str, Coverage] = {}
    for report in reports:
        for sentence in normalise(report.report).sentences:
            counted = totals.get(sentence.language, Coverage()) + coverage(sentence)
            totals[sentence.language] = counted
    totals = dict(sorted(totals.items()))
    totals["all"] = sum(totals.values(), start=Coverage())
    return [
        "| language | sentences | wholly covered | tokens | covered |",
        "|---|---|---|---|---|",
        *(
            f"| {language} | {total.sentences} | {total.covered_sentences / total.sentences:.3f} "
            f"| {total.tokens} | {total.covered_tokens / total.tokens:.3f} |"
            for language, total in totals.items()
        ),
    ]


def superclass_table(reports: Sequence[CodedReport]) -> list[str]:
    """Micro and macro figures of the superclasses and of the frequent statements."""
    superclasses = [concept.id for concept in load_vocabulary().task("superclass")]
    statements = [concept.id for concept in load_vocabulary().concepts if concept.scp is not None]
    languages = Counter(report.language for report in reports)
    rows = [
        ("all", True, list(reports)),
        ("all, conventions off", False, list(reports)),
        *(
            (language, True, [report for report in reports if report.language == language])
            for language, _ in languages.most_common()
        ),
    ]
    lines = [
        "| reports | n | superclass precision | recall | F1 micro (95 %) | macro "
        f"| statements with {MIN_CODED} or more | F1 micro | macro |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, conventions, chosen in rows:
        comparison = compare(chosen, partial(statements_from_report, conventions=conventions))
        top = comparison.micro(superclasses)
        interval = comparison.micro_f1_interval(superclasses)
        frequent = comparison.frequent(statements, MIN_CODED)
        lines.append(
            f"| {name} | {len(chosen)} | {top.precision:.3f} | {top.recall:.3f} "
            f"| {top.f1:.3f} ({interval.low:.3f}-{interval.high:.3f}) "
            f"| {comparison.macro_f1(superclasses):.3f} | {len(frequent)} "
            + (
                f"| {comparison.micro(frequent).f1:.3f} | {comparison.macro_f1(frequent):.3f} |"
                if frequent
                else "| - | - |"
            )
        )
    return lines


def statement_table(reports: Sequence[CodedReport]) -> list[str]:
    """Every superclass and every frequent statement."""
    vocabulary = load_vocabulary()
    comparison = compare(reports, statements_from_report)
    superclasses = [concept.id for concept in vocabulary.task("superclass")]
    statements = [
        concept.id
        for concept in vocabulary.concepts
        if concept.scp is not None and concept.id not in superclasses
    ]
    shown = [*superclasses, *comparison.frequent(statements, MIN_CODED)]
    return [
        "| concept | coded | precision | recall | F1 |",
        "|---|---|---|---|---|",
        *(_row(concept, comparison.of(concept)) for concept in shown),
    ]


def limits(reports: Sequence[CodedReport]) -> list[str]:
    """What no reading can get right: reports that say nothing of what was coded."""
    superclasses = {concept.id for concept in load_vocabulary().task("superclass")}
    removed = Counter(name for r in reports for name in normalise(r.report).removed)
    silent = sum(
        bool(report.concepts & superclasses)
        and not statements_from_report(report.report) & superclasses
        for report in reports
    )
    return [
        f"Coded with a superclass, and no superclass read: {silent} of {len(reports)} reports.",
        "Removed: " + ", ".join(f"{name} ({n})" for name, n in removed.most_common()) + ".",
    ]


def _row(concept_id: str, agreement: Agreement) -> str:
    coded = agreement.hits + agreement.misses
    return (
        f"| {concept_id} | {coded} | {agreement.precision:.2f} | {agreement.recall:.2f} "
        f"| {agreement.f1:.2f} |"
    )


if __name__ == "__main__":
    main()
