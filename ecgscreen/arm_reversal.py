"""Whether the arms' electrodes seem exchanged: lead I upside down, aVR upright.

With the electrodes of the two arms exchanged lead I changes its sign and aVR and aVL change
places, while the chest leads stay as they are (Kligfield et al., recommendations for the
standardization of the electrocardiogram, Circulation 2007, 115: 1306). Lead I then runs against
V6, which in dextrocardia is small or upside down itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import LEADS, Recording

DOMINANCE = 1.3
"""How many times larger the main deflection is than the one the other way."""

OPPOSITE = -0.4
"""The correlation of lead I with V6 from which they run against each other."""

ARM_REVERSAL = "arm electrodes exchanged? lead I is inverted against V6 and aVR upright"

MOST_SAMPLES = 1 << 15
"""Of a longer recording the beginning is looked at."""


def arm_reversal_note(recording: Recording, usable: NDArray[np.bool_]) -> str | None:
    """Say so if the electrodes of the arms seem exchanged.

    Parameters
    ----------
    recording
        Any; the amplitude need not be known.
    usable
        bool, shape (12,), in the order of `LEADS`: I, aVR and V6 are needed.

    Returns
    -------
    The note, or None. It is a suspicion: an infarction of the lateral wall can look the same.
    """
    names = ("I", "aVR", "V6")
    if not all(usable[LEADS.index(name)] for name in names):
        return None
    i, avr, v6 = (
        recording.signal[recording.lead_names.index(name), :MOST_SAMPLES] for name in names
    )
    # The cheap question first: it is nearly always answered with no.
    with np.errstate(over="ignore", invalid="ignore"):
        if not run_against(i, v6):
            return None
    upside_down = _leans(-i) and _leans(avr)
    return ARM_REVERSAL if upside_down else None


def run_against(i: NDArray[np.float32], v6: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell whether lead I changes against V6, without which there is no note.

    Parameters
    ----------
    i, v6
        float32, shape (..., n_samples): the leads, of one recording or of many, of at most
        `MOST_SAMPLES`. A file's absurd gain may take squares beyond float32, of which numpy
        warns.

    Returns
    -------
    bool, shape (...).
    """
    change_i, change_v6 = i[..., 1:] - i[..., :-1], v6[..., 1:] - v6[..., :-1]
    size = np.sqrt(np.vecdot(change_i, change_i) * np.vecdot(change_v6, change_v6))
    opposite: NDArray[np.bool_] = np.vecdot(change_i, change_v6) < OPPOSITE * size
    return opposite


def _leans(lead: NDArray[np.float32]) -> bool:
    """Whether the upward deflections are the larger ones, by far."""
    # Percentiles, so that a spike decides nothing; a QRS complex takes a tenth of the time.
    low, middle, high = _quantiles(lead, (0.005, 0.5, 0.995))
    return high - middle > DOMINANCE * (middle - low)


def _quantiles(values: NDArray[np.float32], shares: tuple[float, ...]) -> list[float]:
    """As `numpy.quantile`, which takes six times as long."""
    last = len(values) - 1
    between = [(int(share * last), min(int(share * last) + 1, last)) for share in shares]
    ordered = np.partition(values, [place for pair in between for place in pair])
    found = []
    for share, pair in zip(shares, between, strict=True):
        below, above = ordered[list(pair)].tolist()
        found.append(below + share * last % 1 * (above - below))
    return found
