"""Which of a file's own words may stand in a report.

A message that names what was found helps whoever has to mend it. But any text of a file can hold
anything: devices and people write names and dates of birth into the labels of channels, too. Words
that name leads, signals and units are repeated; others are not.
"""

from __future__ import annotations

import re

STRANGE = "***"
"""Stands for a word or number that is not repeated."""

_LEADS = "i ii iii iv avr avl avf vr vl vf ml mli mlii mliii mcl di dii diii rl cm cb cc"
_SIGNALS = """
    lead leads ecg ekg abl mdc elec potl eeg emg eog resp respiration breath chest thorax abdomen
    abd pleth ppg spo sao abp art cvp pap icp bp ibp nibp ph press pressure temp flow airflow air
    snore sound pulse hr ch chan channel sig signal marker status event events annotation time
    annotations left right arm leg foot hand ref median beat average rhythm imp impedance acc accel
    gyro battery trigger unipolar bipolar standard
"""
_UNITS = """
    mv uv nv mm hg mmhg cmh kg hz khz nu adc adu counts count digital unit units au bpm rpm
    volt volts millivolt millivolts microvolt microvolts nanovolt nanovolts ohm kohm deg celsius pct
    percent ms us sec \N{GREEK SMALL LETTER MU}v min none nan inf infinity null si float int
"""
_SAMPLE_KINDS = "sb ub ss sl ul mb ab"
"""DICOM PS3.3, C.10.9.1.5."""

_KNOWN = frozenset(f"{_LEADS} {_SIGNALS} {_UNITS} {_SAMPLE_KINDS}".split())
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_DATE = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}")
_LONG_NUMBER = re.compile(r"\d{6,}|(?<!\d)(?:18|19|20)\d\d(?!\d)")
"""Or a year."""
_WORD = re.compile(r"[^\W\d_]{2,}|[^\W\d_a-zA-Z]")
"""A single letter tells of nobody."""


def without_strange_words(text: str) -> str:
    """Put `STRANGE` for words that name no lead, signal or unit, for dates and long numbers.

    A number is long from six digits on. A text that is one number stays as it is.
    """
    if _NUMBER.fullmatch(text):
        return text
    text = _LONG_NUMBER.sub(STRANGE, _DATE.sub(STRANGE, text))
    return _WORD.sub(lambda word: word[0] if word[0].casefold() in _KNOWN else STRANGE, text)
