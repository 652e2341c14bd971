"""Recordings of one shape are assessed and prepared as one array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ecgscreen.assessment import assess, assess_together
from ecgscreen.heard import HEARD_BAND, HEARD_HZ
from ecgscreen.lead_faults import row_means
from ecgscreen.limb_leads import MOST_SAMPLES
from ecgscreen.preprocess import (
    Prepared,
    PreprocessConfig,
    low_passed,
    preprocess,
    preprocess_whole,
    takes_rate,
)
from ecgscreen.quality import MIN_DURATION_S, Grade, Quality
from ecgscreen.recording import LEADS, Recording, RecordingError, SkippedRecording

MOST_TOGETHER = 600_000
"""Samples of recordings that are prepared as one array: of more, what numpy takes for a call is
hardly less for each, and caches hold less of them."""

_AT_0_S = np.zeros(1, np.float32)
_AT_0_S.flags.writeable = False


def is_plain(recording: Recording, config: PreprocessConfig) -> bool:
    """Whether it is what most are: twelve leads in mV of one window or less."""
    n_samples = recording.signal.shape[1]
    return (
        recording.lead_names == LEADS
        and recording.amplitude_known
        and n_samples <= min(MOST_SAMPLES, round(config.window_s * recording.sampling_rate))
        and recording.duration_s >= MIN_DURATION_S
        and takes_rate(recording.sampling_rate)
    )


def same_shape(one: Recording, other: Recording) -> bool:
    """Whether two recordings can be in one array."""
    return one.sampling_rate == other.sampling_rate and one.signal.shape == other.signal.shape


def prepare_alike(
    recordings: Sequence[Recording], config: PreprocessConfig
) -> Iterator[tuple[Recording, Quality, Prepared | SkippedRecording]]:
    """Assess and prepare recordings, with the results that each would have alone.

    Parameters
    ----------
    recordings
        All of them plain (`is_plain`) and of one shape, no more than `MOST_TOGETHER` samples or so.
    config
        From the bundle.

    Yields
    ------
    What `ecgscreen.assessment.assess` gives of each, and its window, or why there is none.
    """
    deviation = np.stack([recording.signal for recording in recordings])
    rate = recordings[0].sampling_rate
    with np.errstate(over="ignore", invalid="ignore"):
        deviation -= row_means(deviation)[..., np.newaxis]
        is_finite = np.isfinite(np.vecdot(deviation, deviation)).all()
        slow = low_passed(deviation, rate, config) if is_finite else None
    if slow is None:
        # Samples that are missing, or so large that sums of them are: looked at one by one.
        yield from (prepare_alone(recording, config) for recording in recordings)
        return
    assessed = assess_together(recordings, deviation, slow if _is_heard(config) else None)
    for leads, (_, quality) in zip(slow, assessed, strict=True):
        if quality.grade is not Grade.GOOD:
            leads[~quality.usable] = 0
    windows = preprocess_whole(slow, config)
    for (recording, quality), window in zip(assessed, windows, strict=True):
        if quality.reason is not None:
            problem = SkippedRecording(recording.path, quality.reason, quality.detail)
            yield recording, quality, problem
            continue
        prepared = Prepared(window[np.newaxis], quality.usable, _AT_0_S, amplitude_known=True)
        yield recording, quality, prepared


def prepare_alone(
    recording: Recording, config: PreprocessConfig
) -> tuple[Recording, Quality, Prepared | SkippedRecording]:
    """As `prepare_alike`, for one recording of any kind."""
    recording, quality = assess(recording)
    if quality.reason is not None:
        problem = SkippedRecording(recording.path, quality.reason, quality.detail)
        return recording, quality, problem
    try:
        return recording, quality, preprocess(recording, quality.usable, config)
    except RecordingError as error:
        return recording, quality, SkippedRecording(recording.path, error.reason, error.detail)


def _is_heard(config: PreprocessConfig) -> bool:
    """Whether faults are looked for in just what the encoder is given, up to its baseline."""
    return (config.sampling_rate, config.band) == (HEARD_HZ, HEARD_BAND)
