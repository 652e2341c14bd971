"""Which change comes first, and which of them somebody has to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ecgscreen.compare.changes import Change, Finding, Kind
from ecgscreen.reports.diagnosis_row import SEVERITIES, DiagnosisRow

WORSE = (Kind.NEWLY_FLAGGED, Kind.RESULT_LOST)
"""What somebody has to look at."""

_RANKS = {
    Kind.NEWLY_FLAGGED: 0,
    Kind.RESULT_LOST: 1,
    Kind.VANISHED: 2,
    Kind.ROSE: 4,
    Kind.CLEARED: 5,
    Kind.FELL: 6,
}
_NO_RESULT = 3
_NORMAL, _OTHER = 7, 8


def urgency(change: Change, diagnoses: Sequence[DiagnosisRow]) -> tuple[float, ...]:
    """Return what changes are sorted by, worst first: smaller is more urgent.

    First what is newly flagged, by severity and percentile; then flags whose result is lost or
    whose recording is gone; then what newly has no result; scores that rose; flags that are no
    longer raised; scores that fell; flags that stand for a normal ECG; all else.
    """
    worst = min(
        (finding_urgency(each, diagnoses) for each in change.findings),
        default=(float(_OTHER), 0.0, 0.0, 0.0),
    )
    lost = change.new is not None and not change.new.is_scored
    if lost and (change.old is None or change.old.is_scored):
        return min(worst, (float(_NO_RESULT), 0.0, 0.0, 0.0))
    return worst


def finding_urgency(
    finding: Finding, diagnoses: Sequence[DiagnosisRow]
) -> tuple[float, float, float, float]:
    """Return what the diagnoses of one change are sorted by, likewise."""
    row = diagnoses[finding.diagnosis]
    rank = _RANKS[finding.kind] if row.is_finding else _NORMAL
    shown = finding.old_percentile if math.isnan(finding.new_score) else finding.new_percentile
    percentile = 0.0 if math.isnan(shown) else shown
    moved = finding.new_score - finding.old_score
    size = 0.0 if math.isnan(moved) else abs(moved)
    return float(rank), float(SEVERITIES.index(row.severity)), -percentile, -size


def is_worse(change: Change) -> bool:
    """Whether a finding is newly flagged, or what had a result has none any more."""
    return any(kind in WORSE for kind in change.kinds)
