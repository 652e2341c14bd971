"""Embeddings are kept on disk where asked for, and never believed without a check."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.errors import StoreError
from ecgscreen.text_encoder import TextEncoder
from trainer.text_cache import CachedTextEncoder

TEXTS = ("atrial fibrillation", "Sinusrhythmus", "a longer text with some more words")


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that goes through a language model during the test."""
    seen: list[str] = []
    embed = TextEncoder.embed

    def watched(self: TextEncoder, texts: Sequence[str]) -> NDArray[np.float32]:
        seen.extend(texts)
        return embed(self, texts)

    monkeypatch.setattr(TextEncoder, "embed", watched)
    return seen


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_text_is_embedded_once_a_run(language_model: Path, embedded: list[str]) -> None:
    encoder = CachedTextEncoder(str(language_model))
    found = encoder.embed([*TEXTS, TEXTS[0]])
    assert embedded == list(TEXTS)
    assert found[3].tobytes() == found[0].tobytes()
    assert encoder.embed([TEXTS[1]])[0].tobytes() == found[1].tobytes()
    assert embedded == list(TEXTS)
    expected = TextEncoder(str(language_model)).embed(TEXTS)
    np.testing.assert_allclose(found[:3], expected, atol=1e-6)
    assert encoder.embed([]).shape == (0, expected.shape[1])


def test_the_next_run_finds_them_to_the_bit(
    language_model: Path, tmp_path: Path, embedded: list[str]
) -> None:
    first = CachedTextEncoder(str(language_model), tmp_path / "cache").embed(TEXTS)
    again = CachedTextEncoder(str(language_model), tmp_path / "cache").embed(TEXTS[::-1])
    assert again[::-1].tobytes() == first.tobytes()
    assert embedded == list(TEXTS)
    files = files_of(tmp_path)
    assert len(files) == 3
    assert not any(path.suffix == ".partial" for path in files)
    for path in files:
        assert not any(text.encode() in path.read_bytes() for text in TEXTS)
    assert files[0].parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "of another text"])
def test_a_damaged_file_is_made_anew(
    language_model: Path, tmp_path: Path, embedded: list[str], damage: str
) -> None:
    first = CachedTextEncoder(str(language_model), tmp_path).embed(TEXTS)
    whole = {path: path.read_bytes() for path in files_of(tmp_path)}
    file, other, *_ = whole
    content = whole[file]
    file.write_bytes(
        {
            "flipped": content[:-1] + bytes([content[-1] ^ 1]),
            "cut": content[:-4],
            "empty": b"",
            "of another text": whole[other],
        }[damage]
    )
    del embedded[:]
    again = CachedTextEncoder(str(language_model), tmp_path).embed(TEXTS)
    np.testing.assert_allclose(again, first, atol=1e-6)
    assert len(embedded) == 1
    assert len(file.read_bytes()) == len(content)
    del embedded[:]
    CachedTextEncoder(str(language_model), tmp_path).embed(TEXTS)
    assert embedded == []


def test_another_language_model_finds_nothing(
    language_model: Path, tmp_path: Path, embedded: list[str]
) -> None:
    first = CachedTextEncoder(str(language_model), tmp_path / "cache").embed(TEXTS)
    other = tmp_path / "cls"
    shutil.copytree(language_model, other)
    (other / "1_Pooling").mkdir()
    pooling = json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    (other / "1_Pooling" / "config.json").write_text(pooling, encoding="utf-8")
    second = CachedTextEncoder(str(other), tmp_path / "cache").embed(TEXTS)
    assert embedded == [*TEXTS, *TEXTS]
    assert np.abs(first - second).max() > 0.01


def test_a_full_disk_leaves_nothing_half_written(language_model: Path, tmp_path: Path) -> None:
    encoder = CachedTextEncoder(str(language_model), tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
        with pytest.raises(StoreError, match="cannot be written: File too large"):
            encoder.embed(TEXTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files_of(tmp_path) == []
