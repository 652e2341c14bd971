"""Take out of a report what is no finding, or what gives the label away."""

from __future__ import annotations

import re
from functools import cache

from ecgscreen.vocabulary import load_vocabulary
from trainer.reports.tables import read_table

LIKELIHOODS = (0, 15, 35, 50, 80, 100)
"""The likelihoods that PTB-XL's annotation knows (Wagner et al., Scientific Data 2020)."""


def remove_boilerplate(text: str) -> tuple[str, tuple[str, ...]]:
    """Remove the passages that ``writing.toml`` lists, and statement codes with a likelihood.

    "alter unbest." (age undetermined) is no boilerplate and stays.

    Parameters
    ----------
    text
        As `trainer.reports.spelling.tidy` gives it.

    Returns
    -------
    str
        What is left.
    tuple of str
        Names of what was removed, each once, in the order of the table.
    """
    removed = []
    for name, pattern in _patterns():
        text, count = pattern.subn(" ", text)
        if count and name not in removed:
            removed.append(name)
    return " ".join(text.split()), tuple(removed)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    listed = [
        (row["name"], re.compile(row["pattern"], re.DOTALL))
        for row in read_table("writing.toml")["boilerplate"]
    ]
    return (*listed, ("statement code", _code_pattern()))


def _code_pattern() -> re.Pattern[str]:
    codes = (c.scp.lower() for c in load_vocabulary().concepts if c.scp is not None)
    names = "|".join(re.escape(code) for code in sorted(codes, key=len, reverse=True))
    likelihoods = "|".join(str(number) for number in sorted(LIKELIHOODS, reverse=True))
    code = rf"(?<!\w)(?:{names})[ _]?(?:{likelihoods})(?![\w.])"
    return re.compile(rf"\(\s*{code}(?:\s*,\s*{code})*\s*\)|{code}")
