"""Clinical ECG reports, German, English and Swedish: cleaned, in English, and as statements.

    normalise(report).sentences        # cleaned, each with its language
    to_english(report)                 # one language for training text
    findings(report)                   # concepts, affirmed, left open or denied
    statements_from_report(report)     # what the recording carries: labels without codes

The tables are TOML files of this package; the words of `ecgscreen.vocabulary` come on top. Needs
neither torch nor numpy.
"""

from __future__ import annotations

from trainer.reports.english import Coverage, coverage, to_english
from trainer.reports.findings import Finding, findings
from trainer.reports.normalise import NormalisedReport, Sentence, normalise
from trainer.reports.statements import statements_from_report

__all__ = [
    "Coverage",
    "Finding",
    "NormalisedReport",
    "Sentence",
    "coverage",
    "findings",
    "normalise",
    "statements_from_report",
    "to_english",
]
