"""What the benches of explanations take for known."""

from __future__ import annotations

import numpy as np
import pytest

from bench.explain_beats import share, single_beats
from bench.explain_places import NORMAL, PLACES, place_of

INFARCTIONS = frozenset({"AMI", "ASMI", "ALMI", "IMI", "ILMI", "LMI"})


@pytest.mark.parametrize(
    ("carried", "place"),
    [
        ({"AMI", "ASMI", "SR"}, "anterior"),
        ({"IMI", "LAFB"}, "inferior"),
        ({"ILMI"}, "inferolateral"),
        ({"AMI", "IMI"}, None),
        ({"LMI"}, None),
        ({"NORM", "SR"}, NORMAL),
        ({"CLBBB"}, None),
    ],
)
def test_a_recording_has_one_place_or_none(carried: set[str], place: str | None) -> None:
    assert place_of(frozenset(carried), INFARCTIONS) == place


def test_places_are_leads_and_no_two_are_the_same() -> None:
    assert len({place.leads for place in PLACES.values()}) == len(PLACES)
    assert frozenset().union(*(place.statements for place in PLACES.values())) <= INFARCTIONS


def test_windows_with_one_ventricular_beat() -> None:
    times = np.array([0.5, 1.5, 2.5, 10.5, 11.5, 12.0, 20.5, 21.0, 30.5, 31.0])
    symbols = ["N", "V", "N", "N", "V", "V", "V", "F", "+", "V"]
    found = list(single_beats(times, symbols, [0.0, 10.0, 20.0, 30.0, 40.0], 10.0))
    assert [number for number, _, _ in found] == [0, 3]
    assert found[0][1] == 1.5
    assert found[0][2].tolist() == [0.5, 1.5, 2.5]
    assert found[1][2].tolist() == [1.0]  # a change of rhythm is no beat


def test_a_share_is_over_patients() -> None:
    found = np.arange(40) % 4 > 0
    assert share(found, np.arange(40).astype(np.str_)) == "0.75 (0.59 to 0.87)"
    assert share(np.ones(40, np.bool_), np.repeat(["a", "b"], 20)) == "1.00 (0.16 to 1.00)"
