"""A training run on disk, so that it goes on after a crash as if nothing had happened."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from trainer.data import LabelledRecordings

RECORDINGS = "recordings"
"""Of a fingerprint: what is trained on."""
_NAMES = {"n": "number of training recordings", "kind": "objective"}
_MAX_SHOWN = 40


@dataclass
class Checkpoint:
    """Where and how often the state of a run is written.

    Attributes
    ----------
    path
        The file.
    every_s
        Seconds between two of them.
    resume
        Whether a file that is there is gone on from; else it is written over.
    clock
        Seconds.
    """

    path: Path
    every_s: float = 300.0
    resume: bool = False
    clock: Callable[[], float] = time.monotonic
    _due: float = field(init=False)

    def __post_init__(self) -> None:
        self._due = self.clock() + self.every_s

    def due(self) -> bool:
        """Whether it is time again; the next one is counted from now."""
        now = self.clock()
        if now < self._due:
            return False
        self._due = now + self.every_s
        return True

    def load(self, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
        """The state to go on from, None to start afresh.

        Parameters
        ----------
        fingerprint
            Of the run that wants to go on; plain values.

        Raises
        ------
        UsageError
            If the file is no checkpoint, or of another run.
        """
        if not self.resume or not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            found: dict[str, Any] = dict(json.loads(state.pop("fingerprint")))
        except (
            pickle.UnpicklingError,
            RuntimeError,
            EOFError,
            LookupError,
            TypeError,
            AttributeError,
            ValueError,
            AssertionError,
            struct.error,
            OSError,
        ) as error:
            raise UsageError(
                f"{self.path} is no checkpoint of a training ({type(error).__name__})",
                "Remove it, or train without --resume.",
            ) from error
        expected = json.loads(json.dumps(fingerprint))
        if RECORDINGS not in found:  # it was written before recordings were told apart
            expected.pop(RECORDINGS, None)
        if found != expected:
            raise UsageError(
                f"{self.path} is of another run: {', '.join(_differences(found, expected))}",
                "Give the options and the recordings of that run, or train without --resume.",
            )
        return state

    def save(self, state: dict[str, Any], fingerprint: dict[str, Any]) -> None:
        """Write a state of tensors and plain values; the old file stays until this one is whole.

        Raises
        ------
        OSError
            If there is no room, or the folder cannot be written to; nothing half-written is left.
        """
        # torch writing to a full disk ends in an error of its own; bytes end in the system's.
        content = io.BytesIO()
        torch.save({**state, "fingerprint": json.dumps(fingerprint)}, content)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """The run has ended: there is nothing to go on from."""
        self.path.unlink(missing_ok=True)


def content_sha256(recordings: LabelledRecordings, rows: NDArray[np.intp]) -> str:
    """Of all that a training on these rows, shape (n,), takes from the recordings."""
    digest = hashlib.sha256("\n".join(recordings.concept_ids).encode())
    for row in rows:
        for array in (
            recordings.windows,
            recordings.lead_mask,
            recordings.amplitude_known,
            recordings.carried,
            recordings.ages,
            recordings.sexes,
        ):
            digest.update(np.ascontiguousarray(array[row]).tobytes())
        if recordings.reports:
            digest.update(recordings.reports[row].encode(errors="surrogatepass"))
    return digest.hexdigest()


def _differences(found: dict[str, Any], expected: dict[str, Any]) -> Iterator[str]:
    """What a person could change back; of settings within settings the innermost."""
    for key in sorted(found | expected):
        there, here = found.get(key), expected.get(key)
        if there == here:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            yield from (f"{key}: {inner}" for inner in _differences(there, here))
        elif key == RECORDINGS:
            yield "the recordings, or what they carry, were others"
        else:
            name = _NAMES.get(key, key.replace("_", " "))
            yield f"{name} was {_shown(there)}, is {_shown(here)}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
