"""Steps 2 to 4 of a scan for one recording: read, assess, prepare. Runs in any process."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgscreen.assessment import assess
from ecgscreen.discover import Found
from ecgscreen.preprocess import Prepared, PreprocessConfig, preprocess
from ecgscreen.readers import read_recording
from ecgscreen.readers.opened import noting
from ecgscreen.recording import LEADS, RecordingError, SkippedRecording, SkipReason
from ecgscreen.results import RecordResult, Status, not_scored, record_id_of
from ecgscreen.stamp import FileStamp

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
    files, sha256
        What it was read from, as `RecordResult` has it.
    """

    name: str
    prepared: Prepared
    quality: str
    sampling_rate: float
    duration_s: float
    notes: tuple[str, ...]
    files: tuple[FileStamp, ...] = ()
    sha256: str = ""

    def scored(self, embeddings: NDArray[np.float32]) -> RecordResult:
        """The finished row, with float32 embeddings (n_windows, D) from the engine."""
        if not np.isfinite(embeddings).all():
            return not_scored(self.name, Status.ERROR, SkipReason.NO_EMBEDDING, files=self.files)
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
            files=self.files,
            sha256=self.sha256,
        )


def prepare_recording(found: Found, config: PreprocessConfig) -> PreparedRecord | RecordResult:
    """Read, assess and prepare one recording; a recording without result is a finished row."""
    if found.problem is not None:
        return _skipped(found.name, found.problem, found.files)
    with noting() as opened:
        recording = read_recording(found.path, found.root)
    files = opened.stamps(found.files, found.root)
    if isinstance(recording, SkippedRecording):
        return _skipped(found.name, recording, files)
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
            _skipped(found.name, problem, files),
            quality=quality.summary,
            sampling_rate=recording.sampling_rate,
            duration_s=recording.duration_s,
            notes=recording.notes,
            sha256=opened.sha256,
        )
    return PreparedRecord(
        name=found.name,
        prepared=prepared,
        quality=quality.summary,
        sampling_rate=recording.sampling_rate,
        duration_s=recording.duration_s,
        notes=recording.notes,
        files=files,
        sha256=opened.sha256,
    )


def _skipped(name: str, skipped: SkippedRecording, files: tuple[FileStamp, ...]) -> RecordResult:
    if skipped.reason is SkipReason.VANISHED:
        status = Status.VANISHED
    elif skipped.reason in _UNUSABLE:
        status = Status.UNUSABLE
    else:
        status = Status.ERROR
    return not_scored(name, status, skipped.reason, skipped.detail, files)
