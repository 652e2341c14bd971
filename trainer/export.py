"""From a trained model to a bundle, checked before it is written."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.bundle_manifest import FORMAT_VERSION, MANIFEST
from ecgscreen.errors import EngineError, UsageError
from ecgscreen.preprocess import PreprocessConfig, preprocess
from ecgscreen.prompts import prompted_texts
from ecgscreen.recording import LEADS
from ecgscreen.scoring import quantise_directions, score
from ecgscreen.simulate import Rhythm, SimulationSettings, simulate
from ecgscreen.vocabulary import Vocabulary
from engines.base import Engine
from engines.select import load_engine
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.onnx_export import export_encoder
from trainer.platt import calibration_record, learn_probabilities
from trainer.splits import rows_of_folds
from trainer.train import TrainedModel
from trainer.validation_figures import operating_points, task_macro_aucs

PARITY_TOLERANCE = 1e-4
"""Largest difference of an embedding's number between PyTorch and ONNX runtimes in float32."""
_CHECK_SEED = 20_240_901
_WORDING_SHARE = 0.5
"""Of an unseen concept's wordings beside its signs; chosen on fold 8."""


def export_bundle(
    trained: TrainedModel,
    recordings: LabelledRecordings,
    vocabulary: Vocabulary,
    config: TrainConfig,
    out: Path,
    *,
    name: str,
    dataset: Sequence[str],
    licence: str,
    with_reference: bool = True,
    base: Bundle | None = None,
    own_folds: bool = False,
) -> None:
    """Write a bundle; `ecgscreen.bundle.Bundle` says what is in it.

    Parameters
    ----------
    trained
        From `trainer.train.train`.
    recordings
        The set that it was trained and validated on.
    vocabulary
        Its concepts are embedded, seen or not.
    config
        Of the training.
    out
        A folder that does not exist or is empty.
    name, dataset, licence
        For the manifest.
    with_reference
        Whether the embeddings of the training recordings go along, for percentiles.
    base
        What was gone on from, if anything: its recordings were trained on, too, and the
        manifest says so wherever it says what was trained on.
    own_folds
        Whether the folds are those of `trainer.splits.patient_fold`, not a data set's.

    Raises
    ------
    UsageError
        If the folder is not empty.
    EngineParityError
        If OpenVINO and PyTorch do not agree on the exported encoder.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty", "Name a folder that does not exist yet.")
    onnx = export_encoder(trained.model.encoder, config.preprocess.n_samples)
    reference_engine = load_engine("pytorch", onnx, precision="f32")
    check = _check_batch(reference_engine, config.preprocess)
    _hold_parity(onnx, check)

    concepts = concept_arrays(trained, vocabulary, config.prompt)
    directions = dict(zip(concepts["ids"].tolist(), concepts["embeddings"], strict=True))
    train_rows = rows_of_folds(recordings.folds, config.train_folds)
    validation_rows = rows_of_folds(recordings.folds, config.validation_folds)
    scores = _validation_scores(reference_engine, recordings, validation_rows, directions)
    carried = recordings.carried[validation_rows]
    folds = "folds by hash of the patient" if own_folds else "folds"
    validation_set = f"{', '.join(dataset)}, {folds} {list(config.validation_folds)}"
    points = operating_points(scores, carried, recordings.concept_ids, set(trained.seen))
    learned = learn_probabilities(
        scores,
        carried,
        recordings.patients[validation_rows],
        recordings.concept_ids,
        trained.seen,
    )
    files = {
        "encoder.onnx": onnx,
        "text_head.npz": _npz(vars(trained.model.text.as_text_head())),
        "concepts.npz": _npz(concepts),
        "calibration.json": _json(
            {
                "set": validation_set,
                "operating_points": {key: asdict(point) for key, point in points.items()},
                "platt": {key: asdict(each.scaling) for key, each in learned.items()},
            }
        ),
        "check.npz": _npz(check),
    }
    if with_reference:
        embeddings = _embed_rows(reference_engine, recordings, train_rows)
        files["reference.npz"] = _npz({"embeddings": embeddings})
    manifest = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "licence": licence,
        "files": {
            key: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for key, content in sorted(files.items())
        },
        "preprocessing": config.preprocess.to_dict(),
        "lead_order": list(LEADS),
        "embedding_size": config.encoder.embedding_size,
        "text_encoder": {
            "name": trained.text_encoder.name,
            "sha256": trained.text_encoder.sha256,
            "pooling": trained.text_encoder.pooling,
            "prompt": config.prompt,
        },
        "training": {
            "date": datetime.now(UTC).date().isoformat(),
            **_trained_on(dataset, config, base, own_folds=own_folds),
            "n_recordings": len(train_rows),
            "seen_concepts": list(trained.seen),
            "config": config.to_dict(),
        },
        "metrics": {
            "set": f"{validation_set}: the validation folds, where the thresholds come from",
            "n_recordings": len(validation_rows),
            "macro_auc": task_macro_aucs(scores, carried, recordings.concept_ids, vocabulary),
        },
        "calibration": calibration_record(
            learned,
            dict(zip(recordings.concept_ids, carried.T, strict=True)),
            validation_set,
        ),
        "reference": {
            "included": with_reference,
            "n_recordings": len(train_rows) if with_reference else 0,
            "population": "the recordings that the encoder was trained on",
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    for key, content in files.items():
        (out / key).write_bytes(content)
    # The manifest comes last: a bundle without one is not a bundle.
    (out / MANIFEST).write_bytes(_json(manifest))


def _trained_on(
    dataset: Sequence[str], config: TrainConfig, base: Bundle | None, *, own_folds: bool
) -> dict[str, Any]:
    """Sets and folds that must not be measured on; those of the base come along.

    A site's folds are no data set's: of the sets that the base knows, the folds that it was not
    trained on stay those on which forgetting is measured.
    """
    before = base.manifest["training"] if base is not None else {}
    train_folds = () if own_folds else config.train_folds
    return {
        "dataset": [*dataset, *(d for d in before.get("dataset", []) if d not in dataset)],
        "train_folds": sorted({*train_folds, *before.get("train_folds", [])}),
        "validation_folds": [] if own_folds else list(config.validation_folds),
        # Of patients, by `trainer.splits.patient_fold`: whoever is in none of them was held out.
        "site_folds": sorted(
            {
                *((*config.train_folds, *config.validation_folds) if own_folds else ()),
                *before.get("site_folds", []),
            }
        ),
        "check_folds": (
            before.get("check_folds", before.get("validation_folds", []))
            if own_folds
            else list(config.validation_folds)
        ),
        "base": {"name": base.name, "sha256": base.sha256} if base is not None else None,
    }


class EngineParityError(EngineError):
    """Two engines give different embeddings for one encoder."""


def _hold_parity(onnx: bytes, check: Mapping[str, NDArray[Any]]) -> None:
    engine = load_engine("openvino", onnx, precision="f32")
    found = engine.embed(check["windows"], check["lead_mask"])
    if (worst := float(np.abs(found - check["embeddings"]).max())) > PARITY_TOLERANCE:
        raise EngineParityError(
            f"openvino differs from pytorch by {worst:.2g}, allowed is {PARITY_TOLERANCE:g}",
            "Nothing was written; the training can be gone on from with --resume.",
        )


def _check_batch(engine: Engine, config: PreprocessConfig) -> dict[str, NDArray[Any]]:
    """One simulated recording a rhythm, the last ones with leads missing."""
    windows, masks = [], []
    for number, rhythm in enumerate(Rhythm):
        settings = SimulationSettings(rhythm=rhythm, seed=_CHECK_SEED + number)
        usable = np.ones(len(LEADS), dtype=np.bool_)
        if number % 4 == 3:
            usable[number % len(LEADS) :] = False
        prepared = preprocess(simulate(settings).recording, usable, config)
        windows.append(prepared.windows[0])
        masks.append(prepared.lead_mask)
    # float16 halves the file and is exact again as float32.
    batch = np.stack(windows).astype(np.float16)
    lead_mask = np.stack(masks)
    embeddings = engine.embed(batch.astype(np.float32), lead_mask)
    return {"windows": batch.astype(np.float32), "lead_mask": lead_mask, "embeddings": embeddings}


def concept_arrays(
    trained: TrainedModel, vocabulary: Vocabulary, prompt: str
) -> dict[str, NDArray[Any]]:
    """Where the concepts lie.

    A concept that was seen is the mean direction of its wordings. One that was not is that of its
    signs (`Concept.signs`) too: what the words of a diagnosis look like has to be seen, what
    a sign looks like was measured on every recording.

    Parameters
    ----------
    trained, vocabulary
        Every concept of the vocabulary is embedded.
    prompt
        See `TrainConfig.prompt`.

    Returns
    -------
    ``ids``; ``embeddings``, unit vectors float32 (K, D); ``texts``, places of the wordings in the
    language model's own space, float16 (K, size of the language model).
    """
    head = trained.model.text.as_text_head()

    def direction(texts: Sequence[str]) -> NDArray[np.float32]:
        prompted = trained.text_encoder.embed(prompted_texts(prompt, texts))
        return _mean_direction(head.project(prompted))

    embeddings, texts = [], []
    for concept in vocabulary.concepts:
        towards = direction(concept.wordings)
        if concept.signs and concept.id not in trained.seen:
            shares = [_WORDING_SHARE * towards, direction(concept.signs)]
            towards = _mean_direction(np.stack(shares))
        embeddings.append(towards)
        texts.append(_mean_direction(trained.text_encoder.embed(concept.wordings)))
    return {
        "ids": np.array([concept.id for concept in vocabulary.concepts]),
        "embeddings": np.stack(embeddings),
        "texts": np.stack(texts).astype(np.float16),
    }


def _mean_direction(unit_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = unit_vectors.mean(axis=0)
    direction: NDArray[np.float32] = mean / np.linalg.norm(mean)
    return direction


def _embed_rows(
    engine: Engine, recordings: LabelledRecordings, rows: NDArray[np.intp]
) -> NDArray[np.float16]:
    embeddings = engine.embed(recordings.windows[rows], recordings.lead_mask[rows])
    return embeddings.astype(np.float16)


def _validation_scores(
    engine: Engine,
    recordings: LabelledRecordings,
    rows: NDArray[np.intp],
    directions: Mapping[str, NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Scores of the validation recordings, float32 (n, K), for all concepts in their order."""
    vectors = quantise_directions(np.stack([directions[c] for c in recordings.concept_ids]))
    return score(_embed_rows(engine, recordings, rows), vectors)


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # the stub takes its own keyword for an array
    return buffer.getvalue()


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
