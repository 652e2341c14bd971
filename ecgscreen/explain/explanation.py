"""Why a recording has its score: which leads and which seconds made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.assessment import assess
from ecgscreen.bundle import Bundle
from ecgscreen.errors import EcgscreenError, UsageError
from ecgscreen.explain.effects import STEP_S, Effects, find_effects
from ecgscreen.explain.occlusion import PARTS
from ecgscreen.preprocess import Prepared, preprocess
from ecgscreen.prompts import Prompts
from ecgscreen.recording import Recording, RecordingError
from ecgscreen.reports import DiagnosisRow
from ecgscreen.scoring import percentiles, score
from engines.base import Engine

_HALF = 0.5
"""Of the largest effect: what is around it and reaches this belongs to it."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """A window of a recording, explained.

    Attributes
    ----------
    row
        The diagnosis, as the reports show it.
    percentile
        Of the score, 0 to 100; NaN without a reference population.
    window_start_s, window_s
        Which part of the recording, in seconds.
    n_windows
        Of the recording; its score in a scan is that of their mean.
    notes
        What a reader should know of the recording.
    effects
        What each part gives.
    """

    row: DiagnosisRow
    percentile: float
    window_start_s: float
    window_s: float
    n_windows: int
    notes: tuple[str, ...]
    effects: Effects

    @property
    def top_seconds(self) -> tuple[float, float] | None:
        """Begin and end, in seconds from the window's start, of the stretch that gives most.

        The second that gives most, and its neighbours that give at least half as much. None where
        covering no second lowers the score.
        """
        values = self.effects.seconds
        best = int(values.argmax())
        if values[best] <= 0:
            return None
        low = values < _HALF * values[best]
        before, after = np.flatnonzero(low[:best]), np.flatnonzero(low[best:])
        first = int(before[-1]) + 1 if len(before) else 0
        last = best + int(after[0]) - 1 if len(after) else len(values) - 1
        starts = self.effects.starts_s
        return float(starts[first]), min(float(starts[last]) + STEP_S, self.window_s)

    @property
    def top_leads(self) -> dict[str, tuple[tuple[str, float], ...]]:
        """Of each part of the beat the leads in which covering it lowers the score, most first."""
        return {
            part: _ranked(self.effects.leads, self.effects.parts[:, k])
            for k, part in enumerate(PARTS)
        }

    @property
    def ranked_leads(self) -> tuple[tuple[str, float], ...]:
        """The leads that give anything at any time, most first (`Effects.lead_effects`)."""
        return _ranked(self.effects.leads, self.effects.lead_effects)


def explain(
    recording: Recording,
    prompts: Prompts,
    bundle: Bundle,
    engine: Engine,
    start_s: float | None = None,
) -> Explanation:
    """Find out which leads and which seconds made a recording's score.

    The recording goes through the steps of a scan. Of several windows the one with the highest
    score is explained, or the one that holds `start_s`.

    Parameters
    ----------
    recording
        As it was read.
    prompts
        Of one diagnosis.
    bundle, engine
        As in a scan.
    start_s
        A second of the recording; None for the highest score.

    Raises
    ------
    EcgscreenError
        If the recording has no score.
    UsageError
        If the recording does not hold that second.
    """
    prepared, notes, duration_s = _prepare(recording, bundle)
    mask = np.broadcast_to(prepared.lead_mask, prepared.windows.shape[:2])
    embeddings = engine.embed(prepared.windows, mask).astype(np.float16)
    scores = score(embeddings, prompts.directions)[:, 0]
    if not np.isfinite(scores).all():
        raise EcgscreenError(f"{recording.path}: the encoder gives no finite result")
    length_s = min(bundle.preprocessing.window_s, duration_s)
    chosen = int(scores.argmax())
    if start_s is not None:
        chosen = _window_at(start_s, prepared.starts_s, length_s, duration_s)
    reference = bundle.reference
    rank = percentiles(
        scores[[chosen], None], None if reference is None else score(reference, prompts.directions)
    )
    rate = bundle.preprocessing.sampling_rate
    return Explanation(
        row=prompts.rows[0],
        percentile=float(rank[0, 0]),
        window_start_s=float(prepared.starts_s[chosen]),
        window_s=length_s,
        n_windows=len(prepared.windows),
        notes=notes,
        effects=find_effects(
            prepared.windows[chosen],
            prepared.lead_mask,
            prompts.directions[0],
            engine,
            rate,
            min(round(length_s * rate), prepared.windows.shape[2]),
        ),
    )


def _ranked(leads: Sequence[str], values: NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-values, kind="stable").tolist()
    return tuple((leads[k], float(values[k])) for k in order if values[k] > 0)


def _prepare(recording: Recording, bundle: Bundle) -> tuple[Prepared, tuple[str, ...], float]:
    path = recording.path
    recording, quality = assess(recording)
    if quality.reason is not None:
        raise EcgscreenError(f"{path}: {quality.reason}: {quality.detail}")
    try:
        prepared = preprocess(recording, quality.usable, bundle.preprocessing)
    except RecordingError as error:
        raise EcgscreenError(f"{path}: {error.reason}: {error.detail}") from error
    return prepared, recording.notes, recording.duration_s


def _window_at(
    start_s: float, starts_s: NDArray[np.float32], length_s: float, duration_s: float
) -> int:
    holds = (starts_s <= start_s) & (start_s < starts_s + length_s)
    if not holds.any():
        raise UsageError(
            f"second {start_s:g} of a recording of {duration_s:g} s", "Give a second that it holds."
        )
    return int(np.flatnonzero(holds)[0])
