"""The TOML files of this package -> `Concept` objects."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from ecgscreen.vocabulary.concept import Concept

FILES = (
    "groups.toml",
    "infarction.toml",
    "st_t.toml",
    "conduction.toml",
    "hypertrophy.toml",
    "form.toml",
    "rhythm.toml",
    "snomed_rhythm.toml",
    "snomed_conduction.toml",
    "snomed_form.toml",
    "clinical.toml",
)
"""In the order of `Vocabulary.concepts`. An entry is a TOML table named by the id; without
``kind`` it is an SCP-ECG statement, and its id is the code."""


def read_concepts() -> tuple[Concept, ...]:
    """Read the whole table.

    Returns
    -------
    tuple of Concept
        In the order of the files and, within one, of its entries.
    """
    folder = resources.files("ecgscreen.vocabulary")
    return tuple(
        _concept(concept_id, row)
        for name in FILES
        for concept_id, row in tomllib.loads((folder / name).read_text("utf-8")).items()
    )


def _concept(concept_id: str, row: dict[str, Any]) -> Concept:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
    if "kind" not in values:
        values["scp"] = concept_id
    return Concept(id=concept_id, **values)
