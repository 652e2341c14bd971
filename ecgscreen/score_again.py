"""Some recordings of a screening once more, from their files to their scores."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.embedding import embed_all
from ecgscreen.errors import EngineError
from ecgscreen.found import Found
from ecgscreen.locate import place_of
from ecgscreen.long_recording import LongRecording
from ecgscreen.manifest import number_of
from ecgscreen.preparation import PreparedRecord, prepare_recording
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.run_store import RunStore
from ecgscreen.scoring import record_embedding, score
from ecgscreen.screening import Basis, read_scoring
from ecgscreen.shards import StoredRow
from ecgscreen.verify import open_engine
from engines.base import Engine, EngineInfo, EngineUnavailableError
from engines.parity import TOLERANCES
from engines.select import load_engine

LEAST = 10
"""Recordings that are scored again however small the share; all of them where there are fewer."""


@dataclass(frozen=True)
class Again:
    """What is scored again, and by what.

    Attributes
    ----------
    share
        Of the recordings, 0 to 1; at least `LEAST` of them.
    seed
        Chooses which.
    engine
        Of `engines.select.ENGINES`; None takes for each recording the engine and precision that
        scored it.
    precision
        Of the engine, if one is given.
    """

    share: float = 0.01
    seed: int = 0
    engine: str | None = None
    precision: str = "auto"


def score_again(
    store: RunStore, basis: Basis, bundle: Bundle, again: Again
) -> tuple[str, tuple[str, ...]]:
    """Read, prepare, embed and score a random sample of the recordings as the scan did.

    By the engine that scored them, of the same version, on the same device and in the same
    precision, the embeddings have to be equal to the last bit. Else no score may differ by more
    than `engines.parity.TOLERANCES` of the precision.

    Returns
    -------
    What was done, and a sentence for each recording that differs.

    Raises
    ------
    EngineError
        If an engine is not to be had.
    StoreError
        If the store is damaged.
    """
    rows = sample(store, again)
    runs = {number_of(run): run for run in store.runs}
    groups: dict[EngineInfo, list[int]] = {}
    for number in rows.tolist():
        made = runs.get(int(store.index.runs[number]))
        groups.setdefault(_engine_of(made), []).append(number)
    directions = read_scoring(store).directions
    differences: list[str] = []
    by = []
    for info, numbers in groups.items():
        engine = _open(bundle, info, again)
        allowed = _allowed(engine.info, info)
        by.append(
            f"{engine.info.name} {engine.info.precision}, "
            + (f"by up to {allowed:g} allowed" if allowed else "to the last bit")
        )
        for before, now in _pairs(store, basis, bundle, engine, np.array(numbers, np.intp)):
            differences += difference(before, now, directions, allowed)
    what = f"scored again, {len(rows):,} recordings (seed {again.seed}): {'; '.join(by)}"
    return what, tuple(differences)


def sample(store: RunStore, again: Again) -> NDArray[np.intp]:
    """Choose rows of recordings that are still to be had, ascending."""
    index = store.index
    rows = index.live[~index.status(Status.VANISHED)[index.live]].tolist()
    n = min(len(rows), max(LEAST, math.ceil(again.share * len(rows))))
    return np.array(sorted(random.Random(again.seed).sample(rows, n)), np.intp)


def difference(
    before: RecordResult, now: RecordResult, directions: NDArray[np.float64], allowed: float
) -> Iterator[str]:
    """Say what differs between a stored row and one made again, if anything does."""
    if (before.status is Status.SCORED) != (now.status is Status.SCORED):
        reason = f" ({now.reason})" if now.reason else ""
        yield f"{before.path}: was {before.status}, is {now.status}{reason}"
    elif before.status is Status.SCORED:
        if before.embeddings.shape != now.embeddings.shape:
            yield (f"{before.path}: {now.n_windows} windows, expected {before.n_windows}")
        elif before.embeddings.tobytes() != now.embeddings.tobytes():
            both = np.stack([record_embedding(each.embeddings) for each in (now, before)])
            found, expected = score(both, directions)
            largest = float(np.abs(found.astype(np.float64) - expected).max())
            if allowed == 0 or not largest <= allowed:  # NaN too
                yield f"{before.path}: scores differ by up to {largest:.3g}, allowed {allowed:g}"


def _pairs(
    store: RunStore, basis: Basis, bundle: Bundle, engine: Engine, numbers: NDArray[np.intp]
) -> Iterator[tuple[RecordResult, RecordResult]]:
    """Rows as they are stored, and as they are when they are made again."""
    stored: deque[RecordResult] = deque()

    def prepared() -> Iterator[PreparedRecord | LongRecording | RecordResult]:
        for row in store.iter_rows(numbers):
            stored.append(row.result)
            yield _prepare(row, basis, bundle)

    for now in embed_all(prepared(), engine):
        yield stored.popleft(), now


def _prepare(
    row: StoredRow, basis: Basis, bundle: Bundle
) -> PreparedRecord | LongRecording | RecordResult:
    name = row.result.path
    place = place_of(name, basis.roots, basis.working_directory)
    if place is None:
        return not_scored(name, Status.VANISHED, SkipReason.GONE)
    return prepare_recording(Found(*place, name, None), bundle.preprocessing)


def _engine_of(run: Mapping[str, Any] | None) -> EngineInfo:
    if run is None or run["engine"] is None:
        return EngineInfo("openvino", "", "", "auto", 32)
    return EngineInfo(**run["engine"])


def _open(bundle: Bundle, info: EngineInfo, again: Again) -> Engine:
    if again.engine is not None:
        return open_engine(bundle, again.engine, again.precision)
    try:
        return load_engine(
            info.name, bundle.encoder_onnx, precision=info.precision, batch_size=info.batch_size
        )
    except EngineUnavailableError as error:
        raise EngineError(
            f"{error.message}; {info.name} {info.precision} on {info.device} made these scores",
            "Give --engine to compare with another, within the tolerance.",
        ) from error


def _allowed(engine: EngineInfo, made_by: EngineInfo) -> float:
    """How far a score may be off: not at all by what made it."""
    if replace(engine, batch_size=0, precision_reason="") == replace(
        made_by, batch_size=0, precision_reason=""
    ):
        return 0.0
    return max(TOLERANCES.get(each.precision, TOLERANCES["f16"]) for each in (engine, made_by))
