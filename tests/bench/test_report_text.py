"""Training from report text: no code takes part, and the same recordings stand beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.report_text import ARMS, rows_with_text, table, train_arm
from ecgscreen.vocabulary import load_vocabulary
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings

VOCABULARY = load_vocabulary()
WRITTEN = ("Vorhofflimmern", "sinus rhythm", "", "sinustachykardie", "unbestätigter Bericht")


@pytest.fixture(scope="module")
def reported(recordings: LabelledRecordings) -> LabelledRecordings:
    n = len(recordings.windows)
    return replace(recordings, reports=tuple(WRITTEN[k % len(WRITTEN)] for k in range(n)))


def test_rows_with_text_are_those_whose_report_gives_a_statement(
    reported: LabelledRecordings,
) -> None:
    rows = rows_with_text(reported, VOCABULARY)
    assert rows.tolist() == [k for k in range(len(reported.windows)) if k % 5 in (0, 1, 3)]


def test_arms_differ_in_the_labels_only(
    reported: LabelledRecordings, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    said: list[str] = []
    bundles = {
        ARMS[arm]: train_arm(arm, reported, VOCABULARY, tiny_config, tmp_path, said.append)
        for arm in ("plain", "codes")
    }
    plain, codes = bundles.values()
    n = int((reported.folds[rows_with_text(reported, VOCABULARY)] == 1).sum())
    assert [b.manifest["training"]["n_recordings"] for b in (plain, codes)] == [n, n]
    written = {"AFIB", "SR", "STACH"}
    assert written <= plain.seen_concepts
    # Codes that no report names are unknown to the one, and known to the other.
    assert "BIGU" in codes.seen_concepts
    assert "BIGU" not in plain.seen_concepts
    assert said[0].startswith(f"{ARMS['plain']}: {n} of 72 recordings train")

    text = table(bundles, reported, VOCABULARY, replicates=10)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == [
        *("labels from", ARMS["plain"], ARMS["codes"]),
        *("difference, paired", f"{ARMS['codes']} less {ARMS['plain']}"),
    ]
    values = np.array([[float(cell.split()[0]) for cell in row[3:]] for row in rows[1:3]])
    less = [float(cell.split()[0]) for cell in rows[4][1:]]
    assert less == pytest.approx(values[1] - values[0], abs=0.0011)
