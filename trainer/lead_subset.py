"""Measuring with fewer leads than a set has: the others are masked, as if never recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ecgscreen.errors import UsageError
from ecgscreen.leads import standard_lead_name
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import LEADS, SkippedRecording, SkipReason
from trainer.datasets.case import Case, LabelledSet


def parse_leads(text: str) -> tuple[str, ...]:
    """``"I,II"`` as standard names in standard order, each once; nothing stands for all.

    Raises
    ------
    UsageError
        If one of the names is no standard lead.
    """
    if not text:
        return LEADS
    found = set()
    for name in text.split(","):
        standard = standard_lead_name(name)
        if standard is None:
            raise UsageError(
                f"leads {text!r}: {name.strip()!r} is none of {', '.join(LEADS)}",
                "Write names with commas between them, such as I,II.",
            )
        found.add(standard)
    return tuple(lead for lead in LEADS if lead in found)


def only_leads(labelled: LabelledSet, leads: Sequence[str]) -> LabelledSet:
    """The same set, with zeros and a mask in all leads but these.

    Quality is assessed on the whole recording before. A recording that has none of the leads
    is skipped.

    Parameters
    ----------
    labelled
        The set.
    leads
        Names of `LEADS`.
    """
    kept = np.isin(LEADS, leads)
    if kept.all():
        return labelled

    def cases(config: PreprocessConfig) -> Iterator[Case | SkippedRecording]:
        for case in labelled.cases(config):
            if isinstance(case, SkippedRecording):
                yield case
                continue
            mask = case.lead_mask & kept
            if mask.any():
                yield replace(case, windows=case.windows * mask[:, None], lead_mask=mask)
            else:
                yield SkippedRecording(
                    case.path, SkipReason.NO_USABLE_LEAD, f"none of {', '.join(leads)}"
                )

    return replace(labelled, cases=cases)
