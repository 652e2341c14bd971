"""What a training is asked for decides what it trains on, and from where it starts."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ecgscreen.bundle import load_bundle
from ecgscreen.errors import BundleError, UsageError
from ecgscreen.vocabulary import load_vocabulary
from tests.labelled_recordings import labelled
from tests.tiny_bundle import ENCODER, VALIDATION_FOLD
from tests.trainer.test_train_command import REQUEST
from trainer.base import load_base
from trainer.check_sets import check_set
from trainer.loading import check_base, hide_excluded, load_recordings
from trainer.unseen import without_concepts

VOCABULARY = load_vocabulary()
QUIET = Console(quiet=True)
TABLE = replace(REQUEST, folders=(), tables=(Path("site.csv"),), train_folds=None)


def test_a_table_starts_from_what_ships_and_folders_from_nothing() -> None:
    assert TABLE.base_name == "default"
    assert REQUEST.base_name == "none"
    assert replace(REQUEST, base="ours").base_name == "ours"
    assert load_base("none") is None


def test_a_start_from_a_base_is_gentle_and_of_its_shape(bundle_dir: Path) -> None:
    base = load_bundle(bundle_dir)
    config = REQUEST.config(base)
    assert (config.epochs, config.batch_size, config.learning_rate) == (10, 32, 3e-4)
    assert config.encoder == ENCODER
    assert config.base == base.sha256
    assert replace(REQUEST, preset="default", epochs=3).config(base).learning_rate == 3e-3
    with pytest.raises(UsageError, match="preset paper trains a text head of its own"):
        replace(REQUEST, preset="paper").config(base)


def test_a_share_of_the_base_needs_one(bundle_dir: Path) -> None:
    config = REQUEST.config(load_bundle(bundle_dir))
    assert 0 < config.base_share < 1
    assert replace(REQUEST, preset="fine-tune").config().base_share == 0
    with pytest.raises(UsageError, match="without a base"):
        replace(config, base="")
    with pytest.raises(UsageError, match="base share 1 of a base"):
        replace(config, base_share=1.0)


def test_a_table_has_folds_of_its_own() -> None:
    config = replace(TABLE, validation_folds=None).config()
    assert (config.train_folds, config.validation_folds) == ((1, 2, 3, 4, 5, 6, 7), (8,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folders": ()}, "neither a folder nor a table"),
        ({"tables": (Path("site.csv"),)}, "folders and a table"),
        ({"check": (Path("ptb-xl"),)}, "--check and --accept are for"),
        ({"accept": True}, "--check and --accept are for"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(REQUEST, **changes)


def test_a_base_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="missing"):
        load_base(str(tmp_path))


def test_what_the_base_was_trained_on_is_neither_unseen_nor_validated_on(bundle_dir: Path) -> None:
    base = load_bundle(bundle_dir)
    excluding = replace(REQUEST, exclude_concepts=("AFIB",))
    check_base(None, excluding.config(), excluding)
    with pytest.raises(UsageError, match="tiny was trained on AFIB"):
        check_base(base, excluding.config(base), excluding)
    same = replace(
        REQUEST, folders=(Path("x/simulated recordings"),), train_folds="2", validation_folds="1"
    )
    with pytest.raises(UsageError, match=r"trained on folds \[1\] of simulated recordings"):
        check_base(base, same.config(base), same)
    check_base(base, REQUEST.config(base), REQUEST)


def test_reports_label_folders_too(simulated_ptbxl: Path) -> None:
    request = replace(REQUEST, folders=(simulated_ptbxl,), labels_from="reports")
    said = io.StringIO()
    config = request.config()
    # The simulated recordings have no reports: there is nothing to read.
    recordings, _ = load_recordings(request, config, VOCABULARY, Console(file=said, width=120))
    assert len(recordings.windows) == 0
    assert "0 recordings got statements from reports, 144 none" in said.getvalue()


def test_excluded_concepts_are_hidden_and_named() -> None:
    recordings = labelled([{"AFIB", "any:AFIB/AFLT"}, {"SR"}])
    said = io.StringIO()
    config = replace(REQUEST, exclude_concepts=("AFIB",)).config()
    hidden = hide_excluded(recordings, config, VOCABULARY, Console(file=said, width=120))
    expected = without_concepts(recordings, VOCABULARY, ["AFIB"])
    np.testing.assert_array_equal(hidden.carried, expected.carried)
    assert "left out of training: AFIB, any:AFIB/AFLT" in said.getvalue()
    assert hide_excluded(recordings, REQUEST.config(), VOCABULARY, QUIET) is recordings


def test_forgetting_is_looked_for_where_the_base_was_not_trained(
    bundle_dir: Path, simulated_ptbxl: Path
) -> None:
    base = load_bundle(bundle_dir)
    given = check_set([simulated_ptbxl], base, VOCABULARY)
    assert set(given.recordings.folds.tolist()) == {VALIDATION_FOLD}
    training = base.manifest["training"] | {"check_folds": []}
    nowhere = replace(base, manifest=base.manifest | {"training": training})
    with pytest.raises(UsageError, match="does not name folds"):
        check_set([simulated_ptbxl], nowhere, VOCABULARY)


def test_simulated_recordings_stand_in(bundle_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.check_sets.N_SIMULATED", 24)
    recordings = check_set([], load_bundle(bundle_dir), VOCABULARY).recordings
    ids = np.array(recordings.concept_ids)
    carried = set(ids[recordings.carried.any(axis=0)].tolist())
    assert {"AFIB", "CLBBB", "PVC", "NORM", "any:AFIB/AFLT"} <= carried
    assert len(np.unique(recordings.patients)) == len(recordings.windows) >= 20
