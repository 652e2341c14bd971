"""Leads without what is too fast for the encoder, at a rate that is enough for the rest.

What lies below 40 Hz is judged in these: a fifth of the samples of 500 Hz, and a scan has made them
for the encoder anyway.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgscreen.resampling import BandPass, resample

HEARD_HZ, HEARD_BAND = 100.0, BandPass(low_pass_hz=40.0, stop_hz=50.0)
"""The same for every bundle, so that what is found does not depend on one."""

_MOST_HZ = 2_000.0
"""At higher rates the matrix that resamples takes longer to make than all that it spares."""


def as_heard(
    deviation: NDArray[np.float32],
    sampling_rate: float,
    resampled: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Resample leads to `HEARD_HZ`, and say at which rate they are now.

    They stay as they are at that rate and below, and at one for which `resample` has no single
    matrix, or a large one.

    Parameters
    ----------
    deviation
        float32, shape (n_recordings, n_leads, n_samples): leads' samples less their mean, of at
        least a second.
    sampling_rate
        In Hz.
    resampled
        What `resample` gives of them with `HEARD_HZ` and `HEARD_BAND`, where that is at hand.

    Returns
    -------
    float32, shape (n_recordings, n_leads, n), and in Hz.
    """
    takes_less = HEARD_HZ < sampling_rate <= _MOST_HZ and float(sampling_rate).is_integer()
    if not takes_less or not deviation.size:
        return deviation, sampling_rate
    if resampled is None:
        resampled = resample(deviation, sampling_rate, HEARD_HZ, HEARD_BAND)
    return resampled, HEARD_HZ
