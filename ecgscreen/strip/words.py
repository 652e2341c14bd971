"""What is written on a strip, in the languages of the reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class StripWords:
    """The words of one language; braces stand for values.

    Attributes
    ----------
    strip
        What the picture is, for somebody who hears it read.
    not_recorded
        In the place of a lead that the file does not have.
    no_valid_sample
        In the place of a lead without a single valid sample.
    no_filter
        That the signal is shown as it came.
    amplitude_unknown
        In the place of the scale, where the unit is no voltage.
    cut_off
        That peaks are cut off at the edge.
    of_recording
        Which seconds are shown.
    acquired
        When the recording began.
    line_is
        How high a line of a terminal is.
    decimal_point
        Of numbers.
    """

    strip: str
    not_recorded: str
    no_valid_sample: str
    no_filter: str
    amplitude_unknown: str
    cut_off: str
    of_recording: str
    acquired: str
    line_is: str
    decimal_point: str = "."

    def number(self, value: float, digits: int = 3) -> str:
        """Write a number with at most so many significant digits."""
        return f"{value:.{digits}g}".replace(".", self.decimal_point)


STRIP_WORDS: Mapping[str, StripWords] = MappingProxyType(
    {
        "en": StripWords(
            strip="ECG strip of {name}, seconds {start} to {end}. Leads recorded: {leads}.",
            not_recorded="not recorded",
            no_valid_sample="no valid sample",
            no_filter="no filter",
            amplitude_unknown="amplitude unknown: heights mean nothing",
            cut_off="peaks cut off",
            of_recording="{start} to {end} s of {length} s",
            acquired="recorded {when}",
            line_is="a line is {mv} mV",
        ),
        "de": StripWords(
            strip="EKG-Streifen von {name}, Sekunde {start} bis {end}. "
            "Aufgezeichnete Ableitungen: {leads}.",
            not_recorded="nicht aufgezeichnet",
            no_valid_sample="kein gültiger Messwert",
            no_filter="kein Filter",
            amplitude_unknown="Amplitude unbekannt: Höhen sagen nichts aus",
            cut_off="Spitzen abgeschnitten",
            of_recording="{start} bis {end} s von {length} s",
            acquired="aufgezeichnet {when}",
            line_is="eine Zeile ist {mv} mV",
            decimal_point=",",
        ),
    }
)
"""Language -> its words."""
