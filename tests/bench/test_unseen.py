"""Unseen diagnoses: what is left out of training, and what is measured of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.prompted import Asked, directions, trained_bundle
from bench.unseen import options, train_without
from bench.unseen_tables import tables
from ecgscreen.bundle import Bundle
from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.unseen import stand_ins

VOCABULARY = load_vocabulary()
ASKED = ("AFIB", "BIGU")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unseen")


@pytest.fixture(scope="module")
def unseen(recordings: LabelledRecordings, tiny_config: TrainConfig, out: Path) -> Bundle:
    said: list[str] = []
    groups = stand_ins(recordings, VOCABULARY, ASKED)
    assert "any:AFIB/AFLT" in groups
    bundle = train_without(recordings, VOCABULARY, tiny_config, ASKED, out, said.append)
    assert said[0] == f"left out of training: AFIB, BIGU, {', '.join(groups)}"
    return bundle


@pytest.fixture(scope="module")
def seen(recordings: LabelledRecordings, tiny_config: TrainConfig, out: Path) -> Bundle:
    return trained_bundle(recordings, VOCABULARY, tiny_config, out / "seen", lambda _line: None)


def test_the_model_has_not_seen_them_and_what_stands_for_them(unseen: Bundle) -> None:
    assert not {*ASKED, "any:AFIB/AFLT"} & set(unseen.seen_concepts)
    assert {"SR", "CLBBB"} <= set(unseen.seen_concepts)


def test_a_bundle_that_is_there_is_kept_and_no_other_taken_for_it(
    recordings: LabelledRecordings, tiny_config: TrainConfig, unseen: Bundle
) -> None:
    said: list[str] = []
    again = train_without(
        recordings, VOCABULARY, tiny_config, ASKED, unseen.path.parent, said.append
    )
    assert again.sha256 == unseen.sha256
    assert len(said) == 1
    with pytest.raises(UsageError, match="another configuration"):
        trained_bundle(
            recordings, VOCABULARY, replace(tiny_config, seed=1), unseen.path, said.append
        )


def test_tables_hold_both_models_on_folds_8_9_and_both(
    recordings: LabelledRecordings, unseen: Bundle, seen: Bundle
) -> None:
    text = tables(unseen, seen, recordings, VOCABULARY, ASKED, replicates=10)
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    fibrillation = [row for row in rows if row[0] == "atrial fibrillation"]
    in_fold = [
        str(
            recordings.carried[np.isin(recordings.folds, folds)][
                :, recordings.concept_ids.index("AFIB")
            ].sum()
        )
        for folds in ([8], [9], [8, 9])
    ]
    assert [row[1:3] for row in fibrillation] == [
        [asked, n] for n in in_fold for asked in ("name", "all wordings", "as in a scan")
    ]
    assert len({len(row) for row in rows}) == 1
    absent = [row for row in fibrillation if row[2] == "0"]
    assert all(row[3:] == ["", "", ""] for row in absent)
    measured = [row for row in fibrillation if row not in absent]
    assert len(measured) == 6
    for row in measured:
        unseen_auc, seen_auc, less = (float(cell.split()[0]) for cell in row[3:])
        assert less == pytest.approx(unseen_auc - seen_auc, abs=0.0011)
    alone = tables(unseen, None, recordings, VOCABULARY, ASKED, replicates=10)
    assert "unseen less seen" not in alone


def test_a_model_that_has_seen_them_is_no_unseen_one(
    recordings: LabelledRecordings, seen: Bundle
) -> None:
    with pytest.raises(UsageError, match="was trained on AFIB, BIGU"):
        tables(seen, None, recordings, VOCABULARY, ASKED)


def test_only_of_what_was_seen_a_scan_asks_by_the_wordings_alone(
    unseen: Bundle, seen: Bundle
) -> None:
    named, worded, scanned = (directions(unseen, VOCABULARY, ASKED, asked) for asked in Asked)
    assert named.shape == (2, unseen.embedding_size)
    assert np.linalg.norm(named, axis=1) == pytest.approx(1, abs=1e-3)
    assert np.abs(named - worded).max() > 1e-3
    assert np.abs(worded - scanned).max() > 1e-3
    worded, scanned = (
        directions(seen, VOCABULARY, ASKED, asked) for asked in (Asked.WORDINGS, Asked.BUNDLE)
    )
    assert worded == pytest.approx(scanned, abs=1e-4)


def test_options_are_fields_of_the_configuration() -> None:
    found = options(["rarity_power=0.5", 'text_head="linear"', "feature_layers=[3, 4]"])
    assert found == {"rarity_power": 0.5, "text_head": "linear", "feature_layers": (3, 4)}
    for wrong in ("rarity=1", "rarity_power=much", "encoder={}"):
        with pytest.raises(UsageError, match="option"):
            options([wrong])
