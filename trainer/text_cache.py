"""Texts that the frozen language model has embedded once: in memory, on disk where asked for."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgscreen.publish import storing
from ecgscreen.text_encoder import PACKAGED, TextEncoder

_DIGEST_BYTES = 32
_PROBE = "Linksschenkelblock (LBBB), 75/min - sinus rhythm; Überleitung QT 0.38 s"


class CachedTextEncoder(TextEncoder):
    """A language model that embeds no text twice.

    A text's file is named by a hash of the language model and of the text, and holds a SHA-256 and
    the numbers. Files are written beside their place and renamed; one whose hash is not that of its
    content is written anew. No text is stored, but what stands for a report is about a patient:
    the folder is made for its owner only.

    Parameters
    ----------
    name_or_folder, download
        See `TextEncoder`.
    folder
        Where embeddings are kept from run to run; None keeps them for as long as this object.
    """

    def __init__(
        self,
        name_or_folder: str = PACKAGED,
        folder: Path | None = None,
        *,
        download: bool = False,
    ) -> None:
        super().__init__(name_or_folder, download=download)
        self._known: dict[str, NDArray[np.float32]] = {}
        self._folder = folder
        if folder is not None:
            self._folder = folder / self._identity()[:16]
            with storing(self._folder):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder.embed`; only what is not known yet goes through the language model."""
        for text in texts:
            if text not in self._known and (kept := self._read(text)) is not None:
                self._known[text] = kept
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for text, row in zip(new, super().embed(new), strict=True):
            self._known[text] = row
            self._write(text, row)
        if not len(texts):
            return super().embed([])
        return np.stack([self._known[text] for text in texts])

    def _identity(self) -> str:
        """SHA-256 over everything that an embedding depends on besides its text."""
        tokens = json.dumps([sorted(self._tokenizer.get_vocab().items()), self.token_ids(_PROBE)])
        parts = (self.sha256, self.pooling, tokens)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _path(self, text: str) -> Path | None:
        name = hashlib.sha256(text.encode()).hexdigest()
        return None if self._folder is None else self._folder / name

    def _read(self, text: str) -> NDArray[np.float32] | None:
        """What is kept of a text; None if nothing is, or something else than was written."""
        if (path := self._path(text)) is None or not path.is_file():
            return None
        content = path.read_bytes()
        numbers = content[_DIGEST_BYTES:]
        if len(numbers) != 4 * self.size or content[:_DIGEST_BYTES] != _digest(path, numbers):
            return None
        return np.frombuffer(numbers, dtype="<f4").astype(np.float32)

    def _write(self, text: str, row: NDArray[np.float32]) -> None:
        # Without fsync: what a power failure tears is found by its hash, and made anew.
        if (path := self._path(text)) is None:
            return
        numbers = row.astype("<f4").tobytes()
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        with storing(path.parent):
            try:
                partial.write_bytes(_digest(path, numbers) + numbers)
                partial.replace(path)
            except OSError:
                partial.unlink(missing_ok=True)
                raise


def _digest(path: Path, numbers: bytes) -> bytes:
    """SHA-256 over place and content, so that a file cannot stand for another text or model."""
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode() + numbers).digest()
