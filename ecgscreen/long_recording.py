"""Recordings of more than two minutes: window by window, and a piece in memory at a time.

Holter, telemetry, MIT-BIH's half hours. Each window of 10 s is assessed by itself, as a recording
of 10 s would be: one that is unusable is not embedded and counts; the recording is unusable only
if all are. How a score is made of the windows is `ecgscreen.scoring`'s matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ecgscreen.acquired import acquired_text
from ecgscreen.alike import MOST_TOGETHER, is_plain, prepare_alike, prepare_alone
from ecgscreen.found import Found
from ecgscreen.preprocess import Prepared, PreprocessConfig, window_starts
from ecgscreen.quality import LeadFault, Quality, Remark
from ecgscreen.readers.base import NO_MEMORY, reason_of
from ecgscreen.readers.opened import noting
from ecgscreen.readers.pieces import Pieces, announced_duration_s, open_pieces
from ecgscreen.recording import LEADS, Recording, RecordingError, SkippedRecording, SkipReason
from ecgscreen.results import RecordResult, Status, not_scored, record_id_of
from ecgscreen.scoring import LONG_S

WINDOWS_A_PIECE = 60
"""Ten minutes: 14 MB of twelve leads at 500 Hz."""

PEEK_BYTES = 1 << 20
"""Files of a recording larger than this, all together, are asked for their length before they are
read whole; two minutes of twelve leads at 500 Hz are 1.4 MB."""

MAX_S = 31 * 86_400.0
"""A month. A sparse file of some kilobytes on the disk can announce years of one slow lead."""

_FEW = 3
_NOTED_SHARE = 0.5
_LEFT_OUT_SHARE = 0.1


@dataclass(frozen=True)
class LongRecording:
    """A recording that waits to be read in pieces.

    Attributes
    ----------
    found
        What the walk found.
    config
        From the bundle.
    """

    found: Found
    config: PreprocessConfig


def is_announced_long(found: Found) -> bool:
    """Whether a recording is long as far as that shows without reading it."""
    n_bytes = sum([file.size for file in found.files])
    if found.files and n_bytes <= PEEK_BYTES:
        return False
    return announced_duration_s(found.path, found.root) > LONG_S


class LongPreparation:
    """Reads, assesses and prepares a long recording piece by piece.

    `pieces` is iterated once; the embeddings of each piece are handed to `add`, in the same order;
    then `finish` gives the row.

    Parameters
    ----------
    long
        The recording.
    """

    def __init__(self, long: LongRecording) -> None:
        self._found = long.found
        self._config = long.config
        self._files = long.found.files
        self._sha256 = ""
        self._problem: SkippedRecording | None = None
        self._opened: Pieces | None = None
        self._tally = _Tally()
        self._starts_s: list[NDArray[np.float32]] = []
        self._embeddings: list[NDArray[np.float16]] = []
        self._quality: list[str] = []
        self._is_finite = True

    def pieces(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """Yield windows, float32 (n, 12, n_samples), and their lead masks, bool (n, 12)."""
        with self._found.objects or nullcontext(), noting() as noted:
            opened = open_pieces(self._found.path, self._found.root)
        self._files = noted.stamps(self._found.files, self._found.root)
        if isinstance(opened, SkippedRecording):
            self._problem = opened
            return
        self._opened, self._sha256 = opened, noted.sha256
        if opened.duration_s > MAX_S:
            detail = f"{opened.duration_s:.6g} s, the limit is {MAX_S:.6g} s"
            self._problem = SkippedRecording(self._found.path, SkipReason.TOO_LARGE, detail)
            return
        try:
            for starts in _groups(opened, self._config):
                prepared = self._prepare(opened, starts)
                if prepared:
                    self._starts_s.append(np.concatenate([each.starts_s for each in prepared]))
                    yield (
                        np.concatenate([each.windows for each in prepared]),
                        np.stack([each.lead_mask for each in prepared]),
                    )
        except RecordingError as error:
            self._problem = SkippedRecording(self._found.path, error.reason, error.detail)
        except OSError as error:
            self._problem = SkippedRecording(self._found.path, *reason_of(error))
        except MemoryError:
            self._problem = SkippedRecording(self._found.path, SkipReason.TOO_LARGE, NO_MEMORY)

    def add(self, embeddings: NDArray[np.float32]) -> None:
        """Take the embeddings of the next piece, float32, shape (n, D)."""
        self._is_finite &= bool(np.isfinite(embeddings).all())
        self._embeddings.append(embeddings.astype(np.float16))

    def finish(self, _nothing: NDArray[np.float32]) -> RecordResult:
        """The finished row, when all embeddings are there."""
        name = self._found.name
        if self._problem is not None:
            reason = self._problem.reason
            status = Status.VANISHED if reason is SkipReason.VANISHED else Status.ERROR
            return self._described(not_scored(name, status, reason, self._problem.detail))
        if not self._embeddings:
            detail = f"none of {self._tally.n_windows:,} windows has a usable lead"
            row = not_scored(name, Status.UNUSABLE, SkipReason.NO_USABLE_LEAD, detail)
            return self._described(replace(row, quality=f"unusable: {detail}"))
        if not self._is_finite:
            return self._described(not_scored(name, Status.ERROR, SkipReason.NO_EMBEDDING))
        return self._described(
            RecordResult(
                path=name,
                record_id=record_id_of(name),
                status=Status.SCORED,
                reason="",
                detail="",
                quality=self._tally.summary(),
                sampling_rate=float("nan"),
                duration_s=float("nan"),
                leads=tuple(np.array(LEADS)[self._tally.leads].tolist()),
                notes=(),
                window_starts_s=np.concatenate(self._starts_s),
                embeddings=np.concatenate(self._embeddings),
                window_quality=tuple(self._quality),
            )
        )

    def _described(self, row: RecordResult) -> RecordResult:
        row = replace(row, files=self._files)
        if self._opened is None:
            return row
        whole = self._opened.whole
        return replace(
            row,
            sampling_rate=whole.sampling_rate,
            duration_s=self._opened.duration_s,
            notes=(*whole.notes, *self._tally.notes(whole.notes)),
            sha256=self._sha256,
            acquired=acquired_text(whole.acquired),
        )

    def _prepare(self, opened: Pieces, starts: list[int]) -> list[Prepared]:
        """Assess and prepare the windows of a piece; those that are unusable are left out."""
        whole = opened.whole
        n_window = _n_window(opened, self._config)
        signal = opened.read(starts[0], starts[-1] + n_window)
        firsts = (start - starts[0] for start in starts)
        cuts = (np.ascontiguousarray(signal[:, first : first + n_window]) for first in firsts)
        windows = (replace(whole, signal=cut) for cut in cuts)
        n_together = max(1, MOST_TOGETHER // (len(signal) * n_window))
        outcomes = _prepare_windows(windows, n_together, self._config)
        prepared = []
        for start, (window, quality, one) in zip(starts, outcomes, strict=True):
            self._tally.count(quality, window)
            if isinstance(one, Prepared):
                start_s = np.array([start / whole.sampling_rate], np.float32)
                prepared.append(replace(one, starts_s=start_s))
                self._quality.append(quality.summary)
            elif quality.reason is None:  # what is wrong is wrong with the whole recording
                raise RecordingError(one.reason, one.detail)
        return prepared


def _prepare_windows(
    windows: Iterator[Recording], n_together: int, config: PreprocessConfig
) -> Iterator[tuple[Recording, Quality, Prepared | SkippedRecording]]:
    while some := list(islice(windows, n_together)):
        if is_plain(some[0], config):
            yield from prepare_alike(some, config)
        else:
            yield from (prepare_alone(window, config) for window in some)


class _Tally:
    """What was found window by window."""

    def __init__(self) -> None:
        self.n_windows = 0
        self.leads = np.zeros(len(LEADS), np.bool_)
        self._n_used = 0
        self._faults: Counter[tuple[str, LeadFault]] = Counter()
        self._remarks: Counter[Remark] = Counter()
        self._notes: Counter[str] = Counter()

    def count(self, quality: Quality, window: Recording) -> None:
        """Count a window."""
        self.n_windows += 1
        if quality.reason is not None:
            return
        self._n_used += 1
        self.leads |= quality.usable
        self._faults.update(
            (lead.name, lead.fault) for lead in quality.leads if lead.fault is not None
        )
        self._remarks.update(remark for remark, _ in quality.remarks)
        self._notes.update(window.notes)

    def summary(self) -> str:
        """A phrase for the report, such as ``usable: 8,102 of 8,640 windows, V3 flat in 3,200``.

        Leads are named that are left out in a tenth of the windows used, the commonest first; so
        is what is noted in as many, in whichever leads.
        """
        least = max(1.0, _LEFT_OUT_SHARE * self._n_used)
        noted = [f"{what} in {n:,}" for what, n in self._remarks.most_common() if n >= least]
        return "; noted: ".join([self._faulty(least), *([", ".join(noted)] if noted else [])])

    def _faulty(self, least: float) -> str:
        faults = [(pair, n) for pair, n in self._faults.most_common() if n >= least]
        if self._n_used == self.n_windows and not faults:
            return "good"
        phrases = [f"{self._n_used:,} of {self.n_windows:,} windows"]
        is_missing = [f is LeadFault.MISSING and n == self._n_used for (_, f), n in faults]
        if sum(is_missing) > _FEW:  # of a recorder with two or three leads
            phrases.append(f"{sum(is_missing)} leads missing")
            faults = [one for one, gone in zip(faults, is_missing, strict=True) if not gone]
        if len(faults) > _FEW:
            phrases.append(f"{len({lead for (lead, _), _ in faults})} leads not in all of them")
        else:
            phrases += [
                f"{lead} {fault}" if n == self._n_used else f"{lead} {fault} in {n:,}"
                for (lead, fault), n in faults
            ]
        return f"usable: {', '.join(phrases)}"

    def notes(self, known: tuple[str, ...]) -> list[str]:
        """What was noted of at least half of the windows used, and not of the whole before."""
        least = _NOTED_SHARE * self._n_used
        return [text for text, n in self._notes.items() if n >= least and text not in known]


def _n_window(opened: Pieces, config: PreprocessConfig) -> int:
    return min(opened.n_samples, round(config.window_s * opened.whole.sampling_rate))


def _groups(opened: Pieces, config: PreprocessConfig) -> Iterator[list[int]]:
    starts = window_starts(opened.n_samples, _n_window(opened, config))
    for begin in range(0, len(starts), WINDOWS_A_PIECE):
        yield starts[begin : begin + WINDOWS_A_PIECE]
