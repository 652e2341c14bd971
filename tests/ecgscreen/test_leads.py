from __future__ import annotations

import pytest

from ecgscreen.leads import signed_lead_name, standard_lead_name
from ecgscreen.recording import LEADS


@pytest.mark.parametrize("name", LEADS)
@pytest.mark.parametrize(
    "spelling",
    [
        "{0}",
        " {0} ",
        "Lead {0}",
        "lead_{0}",
        "LEAD-{0}",
        "ECG {0}",
        "ECG Lead {0}",
        "EKG_{0}",
        "Ableitung {0}",
    ],
)
def test_every_lead_is_known_in_any_case_with_the_usual_prefixes(name: str, spelling: str) -> None:
    for text in (name, name.lower(), name.upper()):
        assert standard_lead_name(spelling.format(text)) == name


@pytest.mark.parametrize("name", LEADS)
def test_the_reference_identifiers_of_11073_are_known(name: str) -> None:
    assert standard_lead_name(f"MDC_ECG_LEAD_{name.upper()}") == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MLII", "II"),
        ("ML2", "II"),
        ("MLIII", "III"),
        ("DII", "II"),
        ("D1", "I"),
        ("aV R", "aVR"),
        ("V 1", "V1"),
        ("V_6", "V6"),
        ("\N{ROMAN NUMERAL TWO}", "II"),
    ],
)
def test_other_spellings(text: str, name: str) -> None:
    assert standard_lead_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-aVR", "-AVR", "V7", "V3R", "V1-V2", "VR", "CM5", "MCL1", "ECG", "ECG1"),
        *("lead", "Lead 1", "noise1", "IV", "II+", "aVR aVL", "1", "V", "RESP", "V1" * 100),
        "\udce9",
    ],
)
def test_what_only_resembles_a_lead_is_unknown(text: str) -> None:
    assert standard_lead_name(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-aVR", ("aVR", -1)),
        ("\N{MINUS SIGN}AVR", ("aVR", -1)),
        ("Lead -aVR", ("aVR", -1)),
        ("-MLII", ("II", -1)),
        ("LEAD-II", ("II", 1)),
        ("ECG - V1", ("V1", 1)),
        ("aVR", ("aVR", 1)),
        ("--aVR", None),
        ("-V7", None),
    ],
)
def test_a_sign_that_begins_a_name_inverts_the_lead(
    text: str, found: tuple[str, int] | None
) -> None:
    assert signed_lead_name(text) == found
    assert standard_lead_name(text) == (found[0] if found and found[1] > 0 else None)
