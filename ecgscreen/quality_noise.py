"""Muscle noise in a lead and in a whole recording, within the band that the encoder sees.

Clifford et al. (Physiological Measurement 2012, 33: 1419-1433) judge a lead by two indices among
others: the share that the QRS complexes' band, 5 to 15 Hz, has of the power between 5 and 40 Hz
(pSQI), and the kurtosis of the samples (kSQI): peaks over a quiet line in an ECG, none in noise.
Jekova et al. (Physiological Measurement 2012, 33: 1463-1477) score muscle noise, drift, mains and
peaks lead by lead, and join the leads' scores to one of the recording. Here stand relatives of
both that cost little; the limits are this project's own (docs/quality.md says how they do):

- the *fast share*: power from 25 to 40 Hz over that from 5 to 40 Hz, the far end of what pSQI
  leaves out of its numerator;
- the *evenness* of the change within 10 ms: its mean size over its root mean square (Geary,
  Biometrika 1935). That is .80 for Gaussian noise and less the more the change is in few peaks,
  and unlike a kurtosis it is not decided by a few samples, such as a pacemaker's spikes.

Nothing below 5 Hz counts: wander is taken out before the encoder sees it. Nor does anything above
40 Hz, so that samples are looked at that are left when it is gone (see `ecgscreen.heard`).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LEAD_FAST_SHARE = 0.4
"""A lead with a larger share between 25 and 40 Hz is noise by itself."""

RECORDING_FAST_SHARE = 0.18
"""The same for the median of a recording's leads: many leads say it more surely than one."""

QUIET_FAST_SHARE = 0.12
"""A lead with no more is quiet even where most others are noise, as the chest leads are where an
arm trembles."""

MIN_QUIET_LEADS = 4
"""Fewer are no proof that the noise is elsewhere: they go with the others."""

LEAST_EVENNESS = 0.45
"""Below, the change is in few peaks: QRS complexes or a pacemaker's spikes, whatever the share."""

MIN_LEADS_TOGETHER = 6
"""Fewer leads are judged one by one only."""

_LOW_HZ, _FAST_HZ, _HIGH_HZ = 5, 25, 40
_WINDOW_S = 10


def muscle_noise(
    heard: NDArray[np.float32], sampling_rate: float, evenness: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which leads are so full of muscle noise that they say nothing of the heart.

    Parameters
    ----------
    heard, sampling_rate
        What `ecgscreen.heard.as_heard` gives of recordings' finite leads. Under 80 Hz they are
        not judged.
    evenness
        float32, shape (n_recordings, n_leads): see above.

    Returns
    -------
    bool, shape (n_recordings, n_leads): a recording's are all true where they together say so,
    but for quiet ones where there are several.
    """
    if sampling_rate < 2 * _HIGH_HZ:
        return np.zeros(evenness.shape, np.bool_)
    n_second = int(sampling_rate)
    n_seconds = heard.shape[-1] // n_second
    seconds = heard[..., : n_seconds * n_second].reshape(*evenness.shape, n_seconds, n_second)
    even = evenness > LEAST_EVENNESS
    share = np.zeros(evenness.shape, np.float32)
    if even.any():
        share[even] = fast_share(seconds[even], sampling_rate)
    noisy = share > LEAD_FAST_SHARE
    may_be = _may_be_together(share, evenness)
    others = may_be[:, np.newaxis] & (evenness > 0) & ~even
    if others.any():
        share[others] = fast_share(seconds[others], sampling_rate)
    for recording in may_be.nonzero()[0]:
        noisy[recording] |= _together(share[recording], evenness[recording])
    return noisy


def _may_be_together(
    share: NDArray[np.float32], evenness: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """In which recordings both medians may be those of noise, whatever the uneven leads' shares.

    A median lies above what half of the leads lie above. Leads that do not change at all (of an
    evenness of 0) have no share in it.
    """
    n_leads = (evenness > 0).sum(axis=1)
    n_even = (evenness > LEAST_EVENNESS).sum(axis=1)
    n_fast = (share > RECORDING_FAST_SHARE).sum(axis=1) + n_leads - n_even
    many = n_leads >= MIN_LEADS_TOGETHER
    may_be: NDArray[np.bool_] = many & (2 * n_even >= n_leads) & (2 * n_fast >= n_leads)
    return may_be


def _together(share: NDArray[np.float32], evenness: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where their medians say that the leads are noise, all but quiet ones, else none."""
    heard: NDArray[np.bool_] = share > 0
    n_heard = np.count_nonzero(heard)
    # The cheap question first: a median lies above what half of the leads lie above.
    if (
        n_heard >= MIN_LEADS_TOGETHER
        and 2 * np.count_nonzero(share > RECORDING_FAST_SHARE) >= n_heard
        and _median(share[heard]) > RECORDING_FAST_SHARE
        and _median(evenness[heard]) > LEAST_EVENNESS
    ):
        loud: NDArray[np.bool_] = share > QUIET_FAST_SHARE
        return loud if n_heard - np.count_nonzero(loud) >= MIN_QUIET_LEADS else heard
    return np.zeros_like(heard)


def _median(values: NDArray[np.float32]) -> float:
    """Of a few numbers; `numpy.median` takes as long as all the rest here."""
    ordered: list[float] = sorted(values.tolist())
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def fast_share(seconds: NDArray[np.float32], sampling_rate: float) -> NDArray[np.float32]:
    """Power from 25 to 40 Hz over power from 5 to 40 Hz: the median of the windows of 10 s.

    Parameters
    ----------
    seconds
        float32, shape (..., n_seconds, n): leads' finite samples, cut into seconds.
    sampling_rate
        In Hz.

    Returns
    -------
    float32, shape (...), 0 to 1; 0 in a lead without any power there.
    """
    *n_several, n_seconds, n = seconds.shape
    n_windows = max(1, n_seconds // _WINDOW_S)
    length = min(n_seconds, _WINDOW_S)

    def power(waves: NDArray[np.float32]) -> NDArray[np.float32]:
        # A product of a fixed shape a lead: its rounding does not depend on the others.
        parts = (seconds[..., : n_windows * length, :] @ waves).reshape(*n_several, n_windows, -1)
        squares: NDArray[np.float32] = np.vecdot(parts, parts)
        return squares

    fast_waves, slow_waves = _waves(n, sampling_rate)
    fast = power(fast_waves)
    whole = fast + power(slow_waves)
    with np.errstate(over="ignore", invalid="ignore"):
        share = np.divide(
            fast, whole, out=np.zeros_like(fast), where=(whole > 0) & np.isfinite(whole)
        )
    median: NDArray[np.float32] = share[..., 0] if n_windows == 1 else np.median(share, axis=-1)
    return median


@lru_cache(maxsize=16)
def _waves(n: int, sampling_rate: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines and sines under a Hann window: of 25 to 40 Hz, shape (n, 32), and of 5 to 24 Hz."""
    times = np.arange(n) / sampling_rate
    # Without the window, wander would leak into every frequency.
    window = 1 - np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)
    found = []
    for frequencies in (range(_FAST_HZ, _HIGH_HZ + 1), range(_LOW_HZ, _FAST_HZ)):
        columns = []
        for frequency in frequencies:
            angle = 2 * math.pi * frequency * times
            columns += [window * np.cos(angle), window * np.sin(angle)]
        matrix = np.stack(columns, axis=1)
        # What is left of a constant under the window.
        matrix -= matrix.mean(axis=0)
        found.append(np.ascontiguousarray(matrix / n, np.float32))
    return found[0], found[1]
