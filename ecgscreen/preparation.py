"""Steps 2 to 4 of a scan for one recording: read, assess, prepare. Runs in any process."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgscreen.assessment import assess
from ecgscreen.discover import Found
from ecgscreen.preprocess import Prepared, PreprocessConfig, preprocess
from ecgscreen.readers import read_recording
from ecgscreen.recording import LEADS, RecordingError, SkippedRecording, SkipReason
from ecgscreen.results import RecordResult, Status, not_scored, record_id_of

_UNUSABLE = frozenset({SkipReason.TOO_SHORT, SkipReason.NO_USABLE_LEAD})


@dataclass(frozen=True)
class PreparedRecord:
    """A recording that waits for the engine.

    Attributes
    ----------
    name
        As the reports show it.
    prepared
        Its windows and lead mask.
    quality
        The phrase for the report.
    sampling_rate, duration_s
        Of the file, in Hz and seconds.
    notes
        What a reader of the report should know.
    """

    name: str
    prepared: Prepared
    quality: str
    sampling_rate: float
    duration_s: float
    notes: tuple[str, ...]

    def scored(self, embeddings: NDArray[np.float32]) -> RecordResult:
        """The finished row, with float32 embeddings (n_windows, D) from the engine."""
        if not np.isfinite(embeddings).all():
            return not_scored(self.name, Status.ERROR, SkipReason.NO_EMBEDDING)
        return RecordResult(
            path=self.name,
            record_id=record_id_of(self.name),
            status=Status.SCORED,
            reason="",
            detail="",
            quality=self.quality,
            sampling_rate=self.sampling_rate,
            duration_s=self.duration_s,
            leads=tuple(np.array(LEADS)[self.prepared.lead_mask].tolist()),
            notes=self.notes,
            window_starts_s=self.prepared.starts_s,
            embeddings=embeddings.astype(np.float16),
        )


def prepare_recording(found: Found, config: PreprocessConfig) -> PreparedRecord | RecordResult:
    """Read, assess and prepare one recording; a recording without result is a finished row."""
    if found.problem is not None:
        return _skipped(found.name, found.problem)
    recording = read_recording(found.path, found.root)
    if isinstance(recording, SkippedRecording):
        return _skipped(found.name, recording)
    recording, quality = assess(recording)
    problem = None
    if quality.reason is not None:
        problem = SkippedRecording(found.path, quality.reason, quality.detail)
    else:
        try:
            prepared = preprocess(recording, quality.usable, config)
        except RecordingError as error:
            problem = SkippedRecording(found.path, error.reason, error.detail)
    if problem is not None:
        return replace(
            _skipped(found.name, problem),
            quality=quality.summary,
            sampling_rate=recording.sampling_rate,
            duration_s=recording.duration_s,
            notes=recording.notes,
        )
    return PreparedRecord(
        name=found.name,
        prepared=prepared,
        quality=quality.summary,
        sampling_rate=recording.sampling_rate,
        duration_s=recording.duration_s,
        notes=recording.notes,
    )


def _skipped(name: str, skipped: SkippedRecording) -> RecordResult:
    if skipped.reason is SkipReason.VANISHED:
        status = Status.VANISHED
    elif skipped.reason in _UNUSABLE:
        status = Status.UNUSABLE
    else:
        status = Status.ERROR
    return not_scored(name, status, skipped.reason, skipped.detail)
