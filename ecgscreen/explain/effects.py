"""What each second, each lead and each part of the beat gives to a score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecgscreen.beats import beat_samples
from ecgscreen.explain.occlusion import PARTS, bridged, covers, parts_of_beats, sliding
from ecgscreen.recording import LEADS
from engines.base import Engine

WIDTH_S = 0.6
"""Of a cover in time: a wide QRS complex with its T wave's beginning, less than a beat."""

STEP_S = 0.2
Fill: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]
"""A window and where it is covered, both (n_leads, n_samples), to the window with a cover."""

_AT_ONCE = 256
"""Windows that are handed to the engine together: 12 MB."""


@dataclass(frozen=True, eq=False)
class Effects:
    """What a score loses where the recording is covered; above zero it speaks for the diagnosis.

    Attributes
    ----------
    score
        Of the whole window: a cosine.
    flat
        Of a window without any deflection in the same leads.
    leads
        The L leads that the score rests on, in standard order.
    starts_s
        float64, shape (T,): where each stretch of `STEP_S` begins, in seconds from the window's
        start.
    seconds
        float64, shape (T,): of a stretch in all leads, the mean over the covers of `WIDTH_S`
        that hold its middle.
    cells
        float64, shape (L, T): the same, each lead by itself.
    lead_effects
        float64, shape (L,): the mean over a lead's covers in time, those that raise the score
        taken as nothing: any gap disturbs the rhythm, in whatever lead it is.
    parts
        float64, shape (L, 3): of a part of all beats (`PARTS`) in one lead; zero without beats.
    parts_together
        float64, shape (3,): the same in all leads at once.
    beats_s
        float64, shape (B,): the beats, in seconds from the window's start.
    """

    score: float
    flat: float
    leads: tuple[str, ...]
    starts_s: NDArray[np.float64]
    seconds: NDArray[np.float64]
    cells: NDArray[np.float64]
    lead_effects: NDArray[np.float64]
    parts: NDArray[np.float64]
    parts_together: NDArray[np.float64]
    beats_s: NDArray[np.float64]


def find_effects(
    window: NDArray[np.float32],
    lead_mask: NDArray[np.bool_],
    direction: NDArray[np.float64],
    engine: Engine,
    sampling_rate: float,
    n_recorded: int,
    instead: Fill = bridged,
) -> Effects:
    """Cover a window piece by piece and see what its score loses.

    See `ecgscreen.explain.occlusion` for what is covered and by what. The engine embeds some 700
    windows.

    Parameters
    ----------
    window
        float32, shape (12, n_samples), from `ecgscreen.preprocess.preprocess`.
    lead_mask
        bool, shape (12,).
    direction
        float64, shape (D,): the diagnosis (`ecgscreen.prompts.Prompts.directions`).
    engine
        With the bundle's encoder. A precision below float32 blurs small effects.
    sampling_rate
        Of the window, in Hz.
    n_recorded
        Samples of the window that hold the recording; the rest is padding.
    instead
        What stands where the window is covered; for comparison (`bench.explain`).

    Raises
    ------
    ValueError
        If the engine gives no finite embedding for the whole window.
    """
    n_samples = window.shape[1]
    leads = np.flatnonzero(lead_mask)
    beats = beat_samples(window[:, :n_recorded], sampling_rate)
    width, step = round(WIDTH_S * sampling_rate), round(STEP_S * sampling_rate)
    moments = sliding(n_recorded, width, step)
    moments = np.pad(moments, ((0, 0), (0, n_samples - n_recorded)))
    parts = parts_of_beats(beats, n_samples, sampling_rate)

    n_leads = len(lead_mask)
    everything = np.ones((1, n_samples), np.bool_)
    whole_rows = np.concatenate([~everything, everything, moments, parts])
    masks = chain(
        (np.broadcast_to(row, window.shape) for row in whole_rows),
        covers(moments, leads, n_leads),
        covers(parts, leads, n_leads),
    )
    scores = _scores((instead(window, mask) for mask in masks), lead_mask, direction, engine)
    if not np.isfinite(scores[0]):
        raise ValueError("the encoder gives no finite result")
    lost = scores[0] - scores
    n_moments, n_parts = len(moments), len(PARTS)
    first = 2 + n_moments + n_parts
    in_cells = first + len(leads) * n_moments
    cells = lost[first:in_cells].reshape(len(leads), n_moments)
    starts = np.arange(0, n_recorded, step)
    middles = np.minimum(starts + step // 2, n_recorded - 1)
    held = moments[:, middles].astype(np.float64)
    share = held / held.sum(axis=0)
    return Effects(
        score=float(scores[0]),
        flat=float(scores[1]),
        leads=tuple(LEADS[lead] for lead in leads.tolist()),
        starts_s=starts / sampling_rate,
        seconds=lost[2 : 2 + n_moments] @ share,
        cells=cells @ share,
        lead_effects=np.maximum(cells, 0.0).mean(axis=1),
        parts=lost[in_cells:].reshape(len(leads), n_parts),
        parts_together=lost[2 + n_moments : first],
        beats_s=beats / sampling_rate,
    )


def _scores(
    windows: Iterator[NDArray[np.float32]],
    lead_mask: NDArray[np.bool_],
    direction: NDArray[np.float64],
    engine: Engine,
) -> NDArray[np.float64]:
    """Cosines, float64, of windows in turn."""
    found = []
    while block := list(islice(windows, _AT_ONCE)):
        mask = np.broadcast_to(lead_mask, (len(block), len(lead_mask)))
        found.append(engine.embed(np.stack(block), mask).astype(np.float64) @ direction)
    return np.concatenate(found)
