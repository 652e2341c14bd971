"""Where everything stands on the paper: three rows of four leads, and a rhythm strip.

The arrangement, the speed and the gain are those of the AHA/ACC/HRS recommendations for the
standardisation of the electrocardiogram, part I (Kligfield et al., Circulation 2007).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ecgscreen.strip.segment import Segment

MM = 20
"""Drawing units a millimetre: one is 2 ms wide and, at 10 mm/mV, 5 uV high."""

SPEED = 25
"""Paper speed, in mm/s."""

GAINS = (10.0, 5.0, 2.5)
"""In mm/mV: the standard one, and what a tall recording is turned down to."""

ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
"""Leads of the three rows, each lead for a quarter of the strip, one after the other in time."""

RHYTHM_LEADS = ("II", "V1", "I", "V5")
"""The rhythm strip is the first of these that was recorded."""

PULSE_MV = 1.0
PULSE_S = 0.2
"""The calibration pulse."""

LEFT = 15 * MM
RIGHT = 5 * MM
TOP = 9 * MM
BOTTOM = 9 * MM
LARGEST_HEIGHT = 165 * MM
"""What fits an A4 page on its side, with a heading."""

NAME_ABOVE = 5 * MM
NAME_SIZE = 64
_NAME_CLEARANCE = 3 * MM // 2
_NAME_S = 0.4
"""The part of a trace that its name must not cover, in seconds."""
_ROW_ABOVE = 10 * MM
_ROW_BELOW = 8 * MM
_BETWEEN = 3 * MM
_CUT_OFF = 12 * MM
_HIGHEST_UNKNOWN = 12 * MM
_LARGE_SQUARE = 5 * MM


@dataclass(frozen=True, eq=False)
class Trace:
    """A lead in its place.

    Attributes
    ----------
    lead
        Its name.
    x
        float64, shape (n,): across, in drawing units.
    y
        float64, shape (n,): down, in drawing units; NaN where there is no valid sample. None
        if the lead was not recorded.
    left, right
        Its column, in drawing units.
    baseline
        Where zero lies.
    name_y
        Where its name stands.
    """

    lead: str
    x: NDArray[np.float64]
    y: NDArray[np.float64] | None
    left: float
    right: float
    baseline: int
    name_y: float


@dataclass(frozen=True, eq=False)
class Layout:
    """A strip, ready to be drawn.

    Attributes
    ----------
    segment
        What is shown.
    gain
        In mm/mV; None where the amplitude is unknown.
    traces
        The twelve, and the rhythm strip last.
    baselines
        Of the four rows, in drawing units.
    width, height
        Of the paper, in drawing units.
    cut_off
        Whether a trace was cut off because even the lowest gain leaves it too tall.
    """

    segment: Segment
    gain: float | None
    traces: tuple[Trace, ...]
    baselines: tuple[int, ...]
    width: int
    height: int
    cut_off: bool


@dataclass(frozen=True, eq=False)
class _Cell:
    """A lead, or a quarter of the rhythm strip: samples (None: not recorded) from `first` on.

    Its name stands above the first `n_named` of them.
    """

    lead: str
    first: int
    samples: NDArray[np.float32] | None
    n_named: int

    @cached_property
    def extremes(self) -> tuple[np.float32, np.float32]:
        """The lowest and the highest sample; zero where none is valid."""
        return _extremes(self.samples)

    @cached_property
    def highest_named(self) -> np.float32:
        """The highest sample beneath the name; zero where none is valid."""
        return _extremes(None if self.samples is None else self.samples[: self.n_named])[1]


def _extremes(samples: NDArray[np.float32] | None) -> tuple[np.float32, np.float32]:
    if samples is None or not len(samples):
        return np.float32(0), np.float32(0)
    # What is not valid, NaN, is passed over, unless all is.
    lowest, highest = np.fmin.reduce(samples), np.fmax.reduce(samples)
    return (np.float32(0), np.float32(0)) if np.isnan(lowest) else (lowest, highest)


def lay_out(segment: Segment) -> Layout:
    """Place the leads so that no trace reaches into another, nor over the edge.

    Rows stand as far apart as their traces need. Where the page would become taller than
    `LARGEST_HEIGHT`, the gain is halved, as an electrocardiograph does; what is too tall at
    the lowest gain, which no heart is, is cut off.

    Parameters
    ----------
    segment
        What to show.
    """
    rows = _rows(segment)
    gains = GAINS if segment.amplitude_known else (_gain_of_unknown(segment),)
    for gain in gains:
        scale = gain * MM
        baselines, height = _heights(rows, scale)
        if height <= LARGEST_HEIGHT:
            break
    cut_off = height > LARGEST_HEIGHT
    if cut_off:
        limit = _CUT_OFF / scale
        rows = [[_limited(cell, limit) for cell in row] for row in rows]
        baselines, height = _heights(rows, scale)
    per_sample = SPEED * MM / segment.sampling_rate
    n_column = segment.n_samples / len(ROWS[0])
    traces = []
    for row, baseline in zip(rows[:-1], baselines, strict=False):
        for column, cell in enumerate(row):
            left = LEFT + column * n_column * per_sample
            right = left + n_column * per_sample
            traces.append(_trace([cell], left, right, baseline, scale, per_sample))
    right = LEFT + segment.n_samples * per_sample
    traces.append(_trace(rows[-1], LEFT, right, baselines[-1], scale, per_sample))
    return Layout(
        segment=segment,
        gain=gain if segment.amplitude_known else None,
        traces=tuple(traces),
        baselines=baselines,
        width=_up_to_square(right + RIGHT),
        height=height,
        cut_off=cut_off,
    )


def pulses(layout: Layout) -> list[tuple[tuple[int, int], ...]]:
    """The calibration pulse before each row, corner by corner; none where heights mean nothing."""
    if layout.gain is None:
        return []
    top = round(PULSE_S * SPEED * MM)
    begin = (LEFT - top) // 2
    end, height = begin + top, round(PULSE_MV * layout.gain * MM)
    return [
        (
            *((0, y), (begin, y), (begin, y - height)),
            *((end, y - height), (end, y), (end + begin - MM, y)),
        )
        for y in layout.baselines
    ]


def column_marks(layout: Layout) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Short bars where one lead ends and the next begins: their upper and lower ends."""
    first_row = [trace for trace in layout.traces if trace.baseline == layout.baselines[0]]
    return [
        ((round(trace.left), y - 2 * MM), (round(trace.left), y + 2 * MM))
        for y in layout.baselines[:-1]
        for trace in first_row[1:]
    ]


def _rows(segment: Segment) -> list[list[_Cell]]:
    n_columns = len(ROWS[0])
    edges = [round(column * segment.n_samples / n_columns) for column in range(n_columns + 1)]
    rhythm = next((lead for lead in RHYTHM_LEADS if lead in segment.leads), None)
    rhythm = rhythm or next(iter(segment.leads))

    n_named = max(1, round(_NAME_S * segment.sampling_rate))

    def cell(lead: str, column: int) -> _Cell:
        first, end = edges[column], edges[column + 1]
        samples = segment.leads.get(lead)
        return _Cell(lead, first, None if samples is None else samples[first:end], n_named)

    rows = [[cell(lead, column) for column, lead in enumerate(row)] for row in ROWS]
    return [*rows, [cell(rhythm, column) for column in range(n_columns)]]


def _gain_of_unknown(segment: Segment) -> float:
    largest = max((_extent(samples) for samples in segment.leads.values()), default=0.0)
    return _HIGHEST_UNKNOWN / MM / largest if largest > 0 else 1.0


def _heights(rows: list[list[_Cell]], scale: float) -> tuple[tuple[int, ...], int]:
    """Return the baselines of the rows and the height of the paper."""
    above = [[_above(cell, scale) for cell in row] for row in rows]
    below = [[max(-_up(cell.extremes[0], scale), 0.0) for cell in row] for row in rows]
    baselines = [_up_to_square(TOP + max(*above[0], _ROW_ABOVE))]
    for upper, lower in zip(below[:-1], above[1:], strict=True):
        # Column by column: a deep V2 needs room only above what stands below it.
        needed = max(down + up for down, up in zip(upper, lower, strict=True)) + _BETWEEN
        baselines.append(_up_to_square(baselines[-1] + max(needed, _ROW_BELOW + _ROW_ABOVE)))
    bottom = baselines[-1] + max(*below[-1], _ROW_BELOW) + BOTTOM
    return tuple(baselines), _up_to_square(bottom)


def _above(cell: _Cell, scale: float) -> float:
    return max(_up(cell.extremes[1], scale), _name_above(cell, scale) + NAME_SIZE)


def _name_above(cell: _Cell, scale: float) -> float:
    """How far above the baseline the name of a lead stands, clear of the trace beneath it."""
    if cell.samples is None:
        return NAME_ABOVE
    return max(NAME_ABOVE, _up(cell.highest_named, scale) + _NAME_CLEARANCE)


def _up(sample: np.float32, scale: float) -> float:
    """How far above its baseline a sample is drawn."""
    return float(sample * np.float32(scale))


def _extent(samples: NDArray[np.float32]) -> float:
    return float(np.nanmax(np.abs(samples))) if np.isfinite(samples).any() else 0.0


def _limited(cell: _Cell, limit: float) -> _Cell:
    samples = None if cell.samples is None else np.clip(cell.samples, -limit, limit)
    return replace(cell, samples=samples)


def _trace(
    cells: list[_Cell],
    left: float,
    right: float,
    baseline: int,
    scale: float,
    per_sample: float,
) -> Trace:
    first = cells[0]
    name_y = baseline - _name_above(first, scale)
    parts = [cell.samples for cell in cells if cell.samples is not None]
    if not parts:
        return Trace(first.lead, np.empty(0), None, left, right, baseline, name_y)
    samples = np.concatenate(parts).astype(np.float64)
    places = first.first + np.arange(len(samples), dtype=np.float64)
    x = LEFT + places * per_sample
    return Trace(first.lead, x, baseline - samples * scale, left, right, baseline, name_y)


def _up_to_square(units: float) -> int:
    return int(-(-units // _LARGE_SQUARE)) * _LARGE_SQUARE
