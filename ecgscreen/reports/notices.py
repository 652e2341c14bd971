"""What a report has to say of its diagnoses before its figures."""

from __future__ import annotations

from collections.abc import Sequence

from ecgscreen.reports.diagnosis_row import DiagnosisRow

NOT_FOR_URGENT_USE = (
    "Not for urgent use: this is no monitor and no alarm. No flag does not exclude a critical "
    "diagnosis."
)


def notices(diagnoses: Sequence[DiagnosisRow]) -> tuple[str, ...]:
    """What every report of these diagnoses has to say before its figures."""
    said = []
    if any(row.severity == "critical" for row in diagnoses):
        said.append(NOT_FOR_URGENT_USE)
    unseen = sum(not row.seen for row in diagnoses)
    if unseen:
        said.append(
            f"{unseen} of {len(diagnoses)} diagnoses were not met in training: a score of theirs "
            "ranks recordings, and no flag does not mean that they are absent."
        )
    return tuple(said)
