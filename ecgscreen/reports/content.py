"""What the reports are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgscreen.readers.pieces import Pieces
from ecgscreen.recording import SkippedRecording
from ecgscreen.reports.diagnosis_row import DiagnosisRow
from ecgscreen.reports.provenance import Provenance
from ecgscreen.shards import StoredRow


class ReportedStore(Protocol):
    """What the reports ask of a run store; see `ecgscreen.run_store.RunStore`."""

    @property
    def n_records(self) -> int:
        """Number of records."""
        ...

    def iter_names(self) -> Iterator[tuple[str, str]]:
        """Yield the path and the record id of every record."""
        ...

    def iter_sorted(
        self, key: Callable[[str, str], str] | None = None
    ) -> Iterator[list[StoredRow]]:
        """Yield all rows in blocks, sorted."""
        ...


@dataclass(frozen=True)
class Report:
    """What is reported, whatever the form.

    Attributes
    ----------
    store
        The finished run's results.
    diagnoses
        The K lines of the list.
    directions
        float64, shape (K, D), from `ecgscreen.scoring.quantise_directions`.
    reference_scores
        float32, shape (R, K): the scores of the bundle's reference population; None without.
    provenance
        How it was made.
    language
        Of `ecgscreen.reports.html.words.LANGUAGES`, for what a person reads.
    read
        Opens a recording again by its name in the reports, for its strip; None where the
        recordings are not at hand.
    """

    store: ReportedStore
    diagnoses: tuple[DiagnosisRow, ...]
    directions: NDArray[np.float64]
    reference_scores: NDArray[np.float32] | None
    provenance: Provenance
    language: str = "en"
    read: Callable[[str], Pieces | SkippedRecording] | None = None

    def __post_init__(self) -> None:
        if self.directions.ndim != 2 or len(self.directions) != len(self.diagnoses):
            raise ValueError(
                f"directions of shape {self.directions.shape} for {len(self.diagnoses)} diagnoses"
            )

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """float64, shape (K,); NaN where there is none."""
        return np.array([row.threshold for row in self.diagnoses], np.float64)

    @property
    def has_percentiles(self) -> bool:
        """Whether there is a reference population."""
        return self.reference_scores is not None and len(self.reference_scores) > 0

    @property
    def has_probabilities(self) -> bool:
        """Whether any diagnosis is calibrated."""
        return any(row.platt is not None for row in self.diagnoses)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """bool, shape (K,): what the model met in training."""
        return np.array([row.seen for row in self.diagnoses], np.bool_)
