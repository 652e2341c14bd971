"""The limb leads are two measurements and four sums: deriving what is missing, and checking.

Einthoven: III = II - I. Goldberger: aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
Einthoven, Pfluegers Archiv 122, 1908; Goldberger, American Heart Journal 23(4), 1942. Where all
six are there, they have to agree; where they do not, a name, a sign or a scale is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgscreen.recording import LEADS, Recording

LIMB_LEADS = LEADS[:6]

FROM_I_AND_II = {
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}
"""Lead -> its shares of I and II."""

LARGEST_SHARE = 0.3
"""Of the lead's own size that the sum may be off: filters and roundings that differ from lead to
lead stay far below, an exchange or a wrong sign far above."""

SMALLEST_MV = 0.02
"""Below it a lead is too quiet to tell."""

MOST_SAMPLES = 1 << 15
"""Of a longer recording the beginning is looked at."""

_SCALES = (1000.0, 100.0, 10.0, 2.0, 0.5, 0.1, 0.01, 0.001)
_MOST_GUESSES = 2

_Shares: TypeAlias = NDArray[np.float64]
"""A row a sum of leads, a column a lead."""


def with_derived_leads(recording: Recording, usable: NDArray[np.bool_]) -> Recording:
    """Add the limb leads that are not there as the sums of I and II that they are.

    Parameters
    ----------
    recording
        Any; its signal is not changed.
    usable
        bool, shape (12,), in the order of `LEADS` (see `ecgscreen.quality.assess_quality`).

    Returns
    -------
    The recording with more leads and a note; the same one if there is nothing to derive, I or II
    is not usable, or the amplitude is unknown (leads scaled one by one have no sums).
    """
    missing = [name for name in FROM_I_AND_II if name not in recording.lead_names]
    if not missing or not usable[:2].all() or not recording.amplitude_known:
        return recording
    pair = recording.signal[[recording.lead_names.index(name) for name in ("I", "II")]]
    shares = np.array([FROM_I_AND_II[name] for name in missing], np.float32)
    return replace(
        recording,
        signal=np.concatenate([recording.signal, shares @ pair]),
        lead_names=(*recording.lead_names, *missing),
        notes=(*recording.notes, f"derived from I and II: {', '.join(missing)}"),
    )


def limb_lead_note(recording: Recording, usable: NDArray[np.bool_]) -> str | None:
    """Say what is wrong if the limb leads contradict each other.

    An exchange of the arms' electrodes is not seen here: its leads agree with each other.

    Parameters
    ----------
    recording
        Any.
    usable
        bool, shape (12,), in the order of `LEADS`; other leads are not looked at.

    Returns
    -------
    A note with at most two explanations that make the leads agree, or None if they do agree, or
    cannot be compared.
    """
    if not recording.amplitude_known or not usable[:2].all():
        return None
    names = [name for name, ok in zip(LIMB_LEADS, usable[:6], strict=True) if ok]
    if len(names) == 2:
        return None
    rows = [recording.lead_names.index(name) for name in names]
    # Taking rows one by one copies them.
    chosen = slice(len(rows)) if rows == list(range(len(rows))) else rows
    signal = recording.signal[chosen, :MOST_SAMPLES]
    signal = signal - signal.mean(axis=1, keepdims=True)
    # What follows are sums of leads, and these products hold the sizes of all of them.
    products = _products(signal)
    wrong = _contradicting(tuple(names), products)
    if not wrong:
        return None
    guesses = [
        text
        for text, shares in _explanations(names)
        if not _contradicting(tuple(names), shares @ products @ shares.T)
    ]
    if guesses:
        explanation = " or ".join(guesses[:_MOST_GUESSES])
    else:
        explanation = f"{', '.join(wrong)} not as I and II make it"
    return f"limb leads contradict each other (Einthoven, Goldberger): {explanation}"


def limb_leads_agree(deviation: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell for many recordings at once in which `limb_lead_note` has nothing to say.

    Parameters
    ----------
    deviation
        float32, shape (n_recordings, 12, n_samples), in mV, of at most `MOST_SAMPLES`: all leads
        in the order of `LEADS`, finite, less the mean of each lead.

    Returns
    -------
    bool, shape (n_recordings,).
    """
    signal = deviation[:, : len(LIMB_LEADS)]
    wrong = _contradictions(LIMB_LEADS, _products(signal))
    agree: NDArray[np.bool_] = np.logical_not(np.logical_or.reduce(wrong, axis=1))
    return agree


def _products(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean product of each two leads, from arrays of shape (..., n_leads, n_samples)."""
    products: NDArray[np.float32] = signal @ signal.swapaxes(-1, -2)
    return products / np.float32(signal.shape[-1])


def _contradicting(names: tuple[str, ...], products: NDArray[np.floating]) -> list[str]:
    """Which leads are not as I and II make them."""
    checked, _ = _sums(names)
    wrong = _contradictions(names, products).tolist()
    return [name for name, is_wrong in zip(checked, wrong, strict=True) if is_wrong]


def _contradictions(names: tuple[str, ...], products: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each lead is not as I and II make it, from the mean product of each two, in mV^2."""
    checked, sums = _sums(names)
    squares = ((sums @ products) * sums).sum(axis=-1)
    sizes = np.sqrt(np.maximum(0, squares)).reshape(*squares.shape[:-1], 3, len(checked))
    own, expected, off = sizes[..., 0, :], sizes[..., 1, :], sizes[..., 2, :]
    size = np.maximum(own, expected)
    wrong: NDArray[np.bool_] = (size > SMALLEST_MV) & (off > LARGEST_SHARE * size)
    return wrong


@lru_cache(maxsize=64)
def _sums(names: tuple[str, ...]) -> tuple[tuple[str, ...], _Shares]:
    """Leads that I and II make; below one another these, what they should be, and the rest."""
    checked = tuple(name for name in names if name in FROM_I_AND_II)
    own, expected = np.zeros((2, len(checked), len(names)))
    for row, name in enumerate(checked):
        own[row, names.index(name)] = 1
        expected[row, :2] = FROM_I_AND_II[name]
    return checked, np.concatenate([own, expected, own - expected])


def _explanations(names: Sequence[str]) -> Iterator[tuple[str, _Shares]]:
    """What may have happened, each with the leads without it as shares of those found."""
    found = np.eye(len(names))
    for row, name in enumerate(names):
        inverted = found.copy()
        inverted[row] *= -1
        yield f"{name} looks inverted", inverted
    for pair in combinations(range(len(names)), 2):
        exchanged = found.copy()
        exchanged[list(pair)] = found[list(pair[::-1])]
        yield f"{names[pair[0]]} and {names[pair[1]]} look exchanged", exchanged
    for row, name in enumerate(names):
        for scale in _SCALES:
            scaled = found.copy()
            scaled[row] /= scale
            yield f"{name} looks {scale:g} times as large as it is", scaled
