"""What changed between two screenings: read from their ``report.h5``, recording by recording."""

from __future__ import annotations

from ecgscreen.compare.changes import Change, Finding, Kind, State
from ecgscreen.compare.job import CompareOptions, Comparison, compare

__all__ = ["Change", "CompareOptions", "Comparison", "Finding", "Kind", "State", "compare"]
