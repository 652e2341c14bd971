"""What a scan does before the engine: read, assess, prepare. Runs in any process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgscreen.acquired import acquired_text
from ecgscreen.alike import MOST_TOGETHER, is_plain, prepare_alike, prepare_alone, same_shape
from ecgscreen.found import Found
from ecgscreen.long_recording import LongRecording, is_announced_long
from ecgscreen.preprocess import Prepared, PreprocessConfig
from ecgscreen.quality import Quality
from ecgscreen.readers import read_recording
from ecgscreen.readers.base import NO_MEMORY
from ecgscreen.readers.opened import noting
from ecgscreen.recording import LEADS, Recording, SkippedRecording, SkipReason
from ecgscreen.results import RecordResult, Status, not_scored, record_id_of
from ecgscreen.scoring import LONG_S
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
    acquired
        When it was recorded, likewise.
    """

    name: str
    prepared: Prepared
    quality: str
    sampling_rate: float
    duration_s: float
    notes: tuple[str, ...]
    files: tuple[FileStamp, ...] = ()
    sha256: str = ""
    acquired: str = ""

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
            leads=_names(self.prepared.lead_mask.tobytes()),
            notes=self.notes,
            window_starts_s=self.prepared.starts_s,
            embeddings=embeddings.astype(np.float16),
            files=self.files,
            sha256=self.sha256,
            acquired=self.acquired,
        )


@lru_cache(maxsize=4096)
def _names(lead_mask: bytes) -> tuple[str, ...]:
    return tuple(name for name, counts in zip(LEADS, lead_mask, strict=True) if counts)


def prepare_recordings(
    found: Iterable[Found | RecordResult], config: PreprocessConfig
) -> Iterator[PreparedRecord | LongRecording | RecordResult]:
    """Read, assess and prepare recordings, in their order.

    Those that follow one another and have the same shape are assessed and prepared as one array,
    with the results that each would have alone. The stream is read ahead by these. A long
    recording is only recognised here: it is read in pieces when it is embedded.

    Parameters
    ----------
    found
        Recordings, and rows that are finished already.
    config
        From the bundle.

    Yields
    ------
    What waits for the engine; a recording without result is a finished row.
    """
    alike: list[_Read] = []
    for one in found:
        read = one if isinstance(one, RecordResult) else _read(one, config)
        if isinstance(read, _Read) and is_plain(read.recording, config):
            if alike and not same_shape(alike[0].recording, read.recording):
                yield from _prepare_together(alike, config)
                alike = []
            alike.append(read)
            if (len(alike) + 1) * read.recording.signal.size > MOST_TOGETHER:
                yield from _prepare_together(alike, config)
                alike = []
            continue
        yield from _prepare_together(alike, config)
        alike = []
        yield _prepare(read, config) if isinstance(read, _Read) else read
    yield from _prepare_together(alike, config)


def prepare_recording(
    found: Found, config: PreprocessConfig
) -> PreparedRecord | LongRecording | RecordResult:
    """As `prepare_recordings`, for one recording."""
    (outcome,) = prepare_recordings([found], config)
    return outcome


class _Read(NamedTuple):
    """A recording that was read, with its name in the reports and what it was read from."""

    name: str
    recording: Recording
    files: tuple[FileStamp, ...]
    sha256: str


def _read(found: Found, config: PreprocessConfig) -> _Read | LongRecording | RecordResult:
    if found.problem is not None:
        return _skipped(found.name, found.problem, found.files)
    if found.objects is None:
        return _read_file(found, config)
    with found.objects:
        read = _read_file(found, config)
    found.objects.release()
    return read


def _read_file(found: Found, config: PreprocessConfig) -> _Read | LongRecording | RecordResult:
    if is_announced_long(found):
        return LongRecording(found, config)
    with noting() as opened:
        recording = read_recording(found.path, found.root)
    files = opened.stamps(found.files, found.root)
    if isinstance(recording, SkippedRecording):
        return _skipped(found.name, recording, files)
    if recording.duration_s > LONG_S:
        return LongRecording(found, config)
    return _Read(found.name, recording, files, opened.sha256)


def _prepare_together(
    alike: list[_Read], config: PreprocessConfig
) -> Iterator[PreparedRecord | RecordResult]:
    """Prepare recordings for which `is_plain` holds, all of one shape."""
    if not alike:
        return
    prepared = prepare_alike([read.recording for read in alike], config)
    for read, (recording, quality, windows) in zip(alike, prepared, strict=True):
        yield _assessed(read, recording, quality, windows)


def _prepare(read: _Read, config: PreprocessConfig) -> PreparedRecord | RecordResult:
    try:
        return _assessed(read, *prepare_alone(read.recording, config))
    except MemoryError:  # a limit of this process, or of the machine
        problem = SkippedRecording(read.recording.path, SkipReason.TOO_LARGE, NO_MEMORY)
        return _skipped(read.name, problem, read.files)


def _assessed(
    read: _Read, recording: Recording, quality: Quality, prepared: Prepared | SkippedRecording
) -> PreparedRecord | RecordResult:
    if isinstance(prepared, Prepared):
        return _waiting(read, recording, quality, prepared)
    return replace(
        _skipped(read.name, prepared, read.files),
        quality=quality.summary,
        sampling_rate=recording.sampling_rate,
        duration_s=recording.duration_s,
        notes=recording.notes,
        sha256=read.sha256,
        acquired=acquired_text(recording.acquired),
    )


def _waiting(
    read: _Read, recording: Recording, quality: Quality, prepared: Prepared
) -> PreparedRecord:
    return PreparedRecord(
        name=read.name,
        prepared=prepared,
        quality=quality.summary,
        sampling_rate=recording.sampling_rate,
        duration_s=recording.duration_s,
        notes=recording.notes,
        files=read.files,
        sha256=read.sha256,
        acquired=acquired_text(recording.acquired),
    )


def _skipped(name: str, skipped: SkippedRecording, files: tuple[FileStamp, ...]) -> RecordResult:
    if skipped.reason is SkipReason.VANISHED:
        status = Status.VANISHED
    elif skipped.reason in _UNUSABLE:
        status = Status.UNUSABLE
    else:
        status = Status.ERROR
    return not_scored(name, status, skipped.reason, skipped.detail, files)
