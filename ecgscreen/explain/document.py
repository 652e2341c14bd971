"""An explanation as JSON, and as lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ecgscreen.bundle import Bundle
from ecgscreen.explain.effects import STEP_S, WIDTH_S
from ecgscreen.explain.explanation import Explanation
from ecgscreen.explain.occlusion import PARTS
from ecgscreen.publish import JsonValue
from ecgscreen.results import printable
from engines.base import EngineInfo

_DIGITS = 4
_BAR = 30
_LEAST_SCALE = _BAR * 0.001
"""A sign of a bar stands for a thousandth at least, so that what prints as 0.000 has no bar."""
_LEADS_SHOWN = 4


def explanation_document(
    explanation: Explanation, name: str, bundle: Bundle, engine: EngineInfo
) -> dict[str, JsonValue]:
    """Everything that was found, as JSON can hold it.

    Parameters
    ----------
    explanation
        From `ecgscreen.explain.explain`.
    name
        The recording's name.
    bundle, engine
        What was explained, and by what.
    """
    row, effects = explanation.row, explanation.effects
    top = explanation.top_seconds
    start = explanation.window_start_s
    return {
        "recording": name,
        "diagnosis": row.name,
        "code": row.code,
        "source": row.source,
        "seen": row.seen,
        "score": round(effects.score, _DIGITS),
        "percentile": None if math.isnan(explanation.percentile) else explanation.percentile,
        "score_flat": round(effects.flat, _DIGITS),
        "window": {
            "start_s": start,
            "length_s": explanation.window_s,
            "of": explanation.n_windows,
        },
        "top": {
            "seconds": None if top is None else [round(start + each, 3) for each in top],
            "leads": [lead for lead, _ in explanation.ranked_leads],
            "leads_by_part": {
                part: [lead for lead, _ in ranked] for part, ranked in explanation.top_leads.items()
            },
        },
        "occlusion": {
            "cover_s": WIDTH_S,
            "step_s": STEP_S,
            "instead": "a straight line between the ends of the cover",
            "effect": "the score less the score with the cover; above zero it speaks for it",
        },
        "starts_s": [round(start + each, 3) for each in effects.starts_s.tolist()],
        "seconds": _rounded(effects.seconds.tolist()),
        "leads": list(effects.leads),
        "lead_effects": dict(
            zip(effects.leads, _rounded(effects.lead_effects.tolist()), strict=True)
        ),
        "cells": [_rounded(line) for line in effects.cells.tolist()],
        "beats_s": [round(start + each, 3) for each in effects.beats_s.tolist()],
        "parts": list(PARTS),
        "parts_together": _rounded(effects.parts_together.tolist()),
        "parts_by_lead": [_rounded(line) for line in effects.parts.tolist()],
        "notes": list(explanation.notes),
        "bundle": bundle.name,
        "bundle_sha256": bundle.sha256,
        "engine": {
            "name": engine.name,
            "version": engine.version,
            "device": engine.device,
            "precision": engine.precision,
        },
    }


def explanation_lines(
    explanation: Explanation, name: str, *, seconds: bool = True, leads: bool = True
) -> Iterator[str]:
    """What a person wants to know first.

    Parameters
    ----------
    explanation, name
        As `explanation_document` has them.
    seconds, leads
        Which tables.
    """
    row, effects = explanation.row, explanation.effects
    known = not math.isnan(explanation.percentile)
    rank = f", percentile {explanation.percentile:.0f}" if known else ""
    yield f"{printable(name)}: {printable(row.name)}, {row.source}"
    yield f"score {effects.score:.3f}{rank}; {effects.flat:.3f} without any deflection"
    start = explanation.window_start_s
    if explanation.n_windows > 1:
        end = start + explanation.window_s
        yield f"seconds {start:g} to {end:g}, one of {explanation.n_windows} windows"
    if seconds:
        yield from _seconds_lines(explanation)
    if leads:
        yield from _lead_lines(explanation)


def _seconds_lines(explanation: Explanation) -> Iterator[str]:
    effects, start = explanation.effects, explanation.window_start_s
    top = explanation.top_seconds
    if top is None:
        yield "no second lowers the score when it is covered"
    else:
        first, last = (start + each for each in top)
        largest = float(effects.seconds.max())
        yield (
            f"seconds {first:.1f} to {last:.1f} give most: covered for {WIDTH_S:g} s in all leads, "
            f"the score falls by {largest:.3f}"
        )
    # Every second by its largest effect, so that a short wave is not averaged away.
    n = max(1, round(1 / STEP_S))
    values = effects.seconds
    widest = float(np.abs(values).max(initial=0.0))
    for first_step in range(0, len(values), n):
        part = values[first_step : first_step + n]
        value = float(part[np.abs(part).argmax()])
        at = start + float(effects.starts_s[first_step])
        yield f"  {at:>6.1f} s  {value:+.3f}  {_bar(value, widest)}".rstrip()


def _lead_lines(explanation: Explanation) -> Iterator[str]:
    effects = explanation.effects
    named = [lead for lead, _ in explanation.ranked_leads[:_LEADS_SHOWN]]
    yield f"leads {', '.join(named)} give most" if named else "no lead gives anything by itself"
    for part, ranked in explanation.top_leads.items():
        if ranked:
            yield f"  in the {part} of all beats: {', '.join(k for k, _ in ranked[:_LEADS_SHOWN])}"
    widest = float(effects.lead_effects.max(initial=0.0))
    columns = "  ".join(f"{name:>6}" for name in PARTS)
    yield f"  {'':<5}{'':>7}  {'':<{_BAR}}  {columns}"
    for k, lead in enumerate(effects.leads):
        value = float(effects.lead_effects[k])
        parts = "  ".join(f"{each:+.3f}" for each in effects.parts[k].tolist())
        yield f"  {lead:<5}{value:>7.3f}  {_bar(value, widest):<{_BAR}}  {parts}"


def _bar(value: float, widest: float) -> str:
    length = round(_BAR * abs(value) / max(widest, _LEAST_SCALE))
    return ("#" if value > 0 else "-") * length


def _rounded(values: list[float]) -> list[float]:
    return [round(value, _DIGITS) for value in values]
