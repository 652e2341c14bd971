"""The side-car of a table: a JSON file that says rate, unit and leads.

A CSV or NPY file holds numbers and nothing else. What they mean stands beside it, in a file of the
same name that ends in ``.json``::

    {"sampling_rate": 500, "unit": "uV", "leads": ["I", "II", "V1"]}
    {"sampling_rate": 250, "unit": "ADC", "gain": 200, "baseline": 1024, "leads": ["MLII"]}

``gain`` is units of the converter a millivolt, ``baseline`` its value at 0 mV; each is a number, or
one a lead. Other keys are not looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecgscreen.readers.base import MAX_SIGNALS, check_sampling_rate, safe_token
from ecgscreen.readers.files import InsideFile
from ecgscreen.recording import RecordingError, SkipReason

SUFFIX = ".json"
MAX_BYTES = 64 * 1024

_COUNTS = frozenset({"adc", "counts", "adu", "digital"})


@dataclass(frozen=True, slots=True)
class SideCar:
    """What a side-car says.

    Attributes
    ----------
    sampling_rate
        In Hz.
    leads
        As written, in the order of the table; None if it names none.
    unit
        As written; empty if it names none, ``mV`` where `gain` makes millivolts of counts.
    gain, baseline
        One a lead, or one for all; None unless the unit is that of a converter.
    """

    sampling_rate: float
    leads: tuple[str, ...] | None
    unit: str
    gain: tuple[float, ...] | None
    baseline: tuple[float, ...] | None


def read_side_car(table: Path, root: Path) -> SideCar:
    """Read the side-car of a table.

    Parameters
    ----------
    table
        The CSV or NPY file.
    root
        The folder given to the scan; nothing outside it is read.

    Raises
    ------
    RecordingError
        NO_HEADER if there is none, else BAD_HEADER, BAD_GAIN, BAD_SAMPLING_RATE or TOO_LARGE.
    OSError
        If it cannot be opened or read.
    """
    try:
        file = InsideFile(str(table.with_suffix(SUFFIX)), root)
    except FileNotFoundError as error:
        raise RecordingError(
            SkipReason.NO_HEADER,
            "expected a side-car of the same name ending in .json with sampling_rate, unit, leads",
        ) from error
    with file:
        if file.size > MAX_BYTES:
            raise RecordingError(
                SkipReason.TOO_LARGE, f"a side-car of {file.size} bytes, the limit is {MAX_BYTES}"
            )
        content = file.read(file.size)
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _bad("it is no JSON") from error
    if not isinstance(fields, dict):
        raise _bad("it is no JSON object")
    return _side_car(fields)


def _side_car(fields: Mapping[str, object]) -> SideCar:
    rate = fields.get("sampling_rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise _bad("sampling_rate is no number, expected Hz")
    leads = fields.get("leads")
    if leads is not None and not (
        isinstance(leads, list)
        and 0 < len(leads) <= MAX_SIGNALS
        and all(isinstance(lead, str) for lead in leads)
    ):
        raise _bad(f"leads is no list of 1 to {MAX_SIGNALS} names")
    unit = fields.get("unit", "")
    if not isinstance(unit, str):
        raise _bad("unit is no text, expected for example mV")
    gain = baseline = None
    if unit.casefold() in _COUNTS:
        gain, baseline = _numbers(fields, "gain", None), _numbers(fields, "baseline", 0)
        if not all(1e-6 <= abs(one) <= 1e12 for one in gain):
            raise RecordingError(
                SkipReason.BAD_GAIN,
                "a gain of the side-car is not usable, expected units of the converter a mV",
            )
        unit = "mV"
    return SideCar(
        check_sampling_rate(_float(rate)),
        None if leads is None else tuple(leads),
        unit,
        gain,
        baseline,
    )


def _numbers(fields: Mapping[str, object], key: str, default: float | None) -> tuple[float, ...]:
    value = fields.get(key, default)
    values = value if isinstance(value, list) else [value]
    if not 0 < len(values) <= MAX_SIGNALS:
        raise _bad(f"{key} has {len(values)} numbers")
    numbers = []
    for one in values:
        if (
            isinstance(one, bool)
            or not isinstance(one, int | float)
            or not math.isfinite(number := _float(one))
        ):
            raise _bad(
                f"unit {safe_token(str(fields['unit']))} needs {key}, a number or one a lead"
            )
        numbers.append(number)
    return tuple(numbers)


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _bad(detail: str) -> RecordingError:
    return RecordingError(SkipReason.BAD_HEADER, f"the side-car: {detail}")
