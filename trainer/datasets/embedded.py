"""From the cases of a labelled set to embeddings and a label matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkippedRecording, SkipReason
from ecgscreen.scoring import record_embedding
from engines.base import Engine
from trainer.datasets.case import Case, LabelledSet
from trainer.prepare import named

_WINDOWS_AT_ONCE = 512
"""About 25 MB of them: enough for any engine's batches."""


class Labels(Protocol):
    """Who carries what; N cases, K concepts."""

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """K ids of the vocabulary."""

    @property
    def carried(self) -> NDArray[np.bool_]:
        """bool, shape (N, K)."""

    @property
    def patients(self) -> NDArray[np.str_]:
        """Shape (N,)."""

    @property
    def skipped(self) -> tuple[SkippedRecording, ...]:
        """What could not be scored, with the reason."""


@dataclass(frozen=True)
class EmbeddedSet:
    """A labelled set, embedded.

    Attributes
    ----------
    embeddings
        float16, shape (N, D): one a case, as a scan stores them.
    concept_ids
        The K concepts that the set speaks of.
    carried
        bool, shape (N, K).
    patients
        shape (N,).
    skipped
        Recordings that could not be scored, with the reason.
    fingerprints
        `signal_fingerprint` of each recording that was.
    """

    embeddings: NDArray[np.float16]
    concept_ids: tuple[str, ...]
    carried: NDArray[np.bool_]
    patients: NDArray[np.str_]
    skipped: tuple[SkippedRecording, ...]
    fingerprints: frozenset[str] = frozenset()


def embed_set(engine: Engine, labelled: LabelledSet, config: PreprocessConfig) -> EmbeddedSet:
    """Prepare and embed every case; the windows are not kept.

    Parameters
    ----------
    engine
        With the bundle's encoder.
    labelled
        The set.
    config
        The bundle's preprocessing.

    Raises
    ------
    UsageError
        If no case could be scored.
    """
    column = {concept: k for k, concept in enumerate(labelled.annotated)}
    embeddings: list[NDArray[np.float16]] = []
    carried: list[NDArray[np.bool_]] = []
    patients: list[str] = []
    skipped: list[SkippedRecording] = []
    fingerprints: set[str] = set()
    for cases in _chunks(labelled.cases(config), skipped):
        for case, embedding in zip(cases, _embed(engine, cases), strict=True):
            if not np.isfinite(embedding).all():
                skipped.append(SkippedRecording(case.path, SkipReason.NO_EMBEDDING, ""))
                continue
            labels = np.zeros(len(column), dtype=np.bool_)
            labels[[column[key] for key in case.carried if key in column]] = True
            embeddings.append(embedding)
            carried.append(labels)
            patients.append(case.patient)
            fingerprints.add(case.fingerprint)
    if not embeddings:
        raise UsageError(
            f"no recording of {labelled.name} could be scored ({len(skipped)} skipped"
            + (f", the first: {named(skipped[0])})" if skipped else ")"),
            "Check what is given.",
        )
    return EmbeddedSet(
        embeddings=np.stack(embeddings),
        concept_ids=labelled.annotated,
        carried=np.stack(carried),
        patients=np.array(patients),
        skipped=tuple(skipped),
        fingerprints=frozenset(fingerprints),
    )


def _chunks(
    cases: Iterator[Case | SkippedRecording], skipped: list[SkippedRecording]
) -> Iterator[list[Case]]:
    chunk: list[Case] = []
    n_windows = 0
    for case in cases:
        if isinstance(case, SkippedRecording):
            skipped.append(case)
            continue
        chunk.append(case)
        n_windows += len(case.windows)
        if n_windows >= _WINDOWS_AT_ONCE:
            yield chunk
            chunk, n_windows = [], 0
    if chunk:
        yield chunk


def _embed(engine: Engine, cases: list[Case]) -> list[NDArray[np.float16]]:
    """One embedding a case: of several windows the direction of their mean, as in a scan."""
    counts = [len(case.windows) for case in cases]
    windows = np.concatenate([case.windows for case in cases])
    lead_mask = np.repeat(np.stack([case.lead_mask for case in cases]), counts, axis=0)
    rows = engine.embed(windows, lead_mask).astype(np.float16)
    return [record_embedding(part) for part in np.split(rows, np.cumsum(counts)[:-1])]
