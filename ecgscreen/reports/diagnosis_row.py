"""A line of the list of diagnoses, as the reports show it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ecgscreen.calibration import PlattScaling

NORMAL_CODES = frozenset({"NORM", "SR"})
"""A normal ECG and sinus rhythm: flagged like any other line of a list, and never urgent."""

VOLTAGE_CODES = frozenset(
    {
        *("HYP", "any:VH", "any:AH", "LVH", "RVH", "SEHYP", "VCLVH", "LAO/LAE", "RAO/RAE"),
        *("LVOLT", "HVOLT", "LOWT", "STD_", "STE_", "snomed:251259000", "snomed:704997005"),
        *("clinical:stemi", "clinical:anterior-stemi", "clinical:inferior-stemi"),
        *("clinical:lateral-stemi", "clinical:posterior-stemi", "clinical:left-main-ischaemia"),
    }
)
"""Of findings whose criteria are heights in mV (AHA/ACCF/HRS recommendations for the interpretation
of the electrocardiogram, parts V and VI, Circulation 2009): a recording without a unit has none."""

SEVERITIES = ("critical", "attention", "info")
"""Worst first."""


@dataclass(frozen=True)
class DiagnosisRow:
    """A line of the list of diagnoses, as the reports show it.

    Attributes
    ----------
    name
        The line as written.
    code
        Of the vocabulary, where it was resolved to one; else empty.
    severity
        One of `SEVERITIES`.
    source
        How the line was resolved, for example ``vocabulary`` or ``zero-shot``.
    threshold
        The cosine that raises the flag; NaN for "ranked, not flagged".
    criterion
        How the threshold was chosen, and by whom; empty without one.
    platt
        Makes the score a probability; None where nobody has learned how.
    group
        The heading that the list puts it under; empty without.
    seen
        Whether the model met it in training. One that it did not is never reported as absent:
        below its threshold the flag is -1, not 0.
    note
        Why it has not the threshold that the list asks for; else empty.
    """

    name: str
    code: str
    severity: str
    source: str
    threshold: float = float("nan")
    criterion: str = ""
    platt: PlattScaling | None = None
    group: str = ""
    seen: bool = True
    note: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether a flag of this line says that something is not normal."""
        return self.code not in NORMAL_CODES

    @property
    def rests_on_voltage(self) -> bool:
        """Whether its criteria are heights in mV."""
        return self.code in VOLTAGE_CODES

    @property
    def can_be_flagged(self) -> bool:
        """Whether it has a threshold; without one it is ranked only."""
        return not math.isnan(self.threshold)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(
                f"{self.name!r}: severity {self.severity!r}, one of {', '.join(SEVERITIES)} "
                "is expected"
            )
