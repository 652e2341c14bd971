"""From the lines of a list to directions in the embedding space."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.diagnoses import Diagnosis, DiagnosisList, unknown_lines, unknown_lines_error
from ecgscreen.errors import BundleError, LabelListError, MissingExtraError, UsageError
from ecgscreen.label_list_file import position
from ecgscreen.list_thresholds import list_threshold
from ecgscreen.reports import DiagnosisRow
from ecgscreen.scoring import quantise_directions
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import Vocabulary

MIN_CONCEPT_SIMILARITY = 0.45
"""Free text whose cosine to every ECG concept, in the language model's own space, is lower than
this is refused: a score of it would mean nothing. Measured with all-MiniLM-L6-v2
(`bench.far_text`): 40 English phrasings of ECG findings that the vocabulary does not hold lie at
0.48 and above; of 65 texts that are no ECG finding, medical ones among them, 57 lie below 0.45
(the others up to 0.62: "low voltage cable"). The model reads English: all 10 German findings that
the vocabulary does not hold lie below, and are refused rather than guessed."""

_NEVER_GUESSED = re.compile(r"[A-Z0-9][A-Z0-9/+_-]{0,7}|\d+|(?i:snomed|aha)\b.*")
"""Abbreviations and codes: a language model has an opinion on them all, and no knowledge."""
_OPPOSITE = 1e-3
"""A line and its counter-prompts that differ by less than this do not differ."""


@dataclass(frozen=True)
class Prompts:
    """A list of diagnoses, ready to score against.

    Attributes
    ----------
    directions
        float64, shape (K, D), from `quantise_directions`.
    rows
        K rows as the reports show them.
    """

    directions: NDArray[np.float64]
    rows: tuple[DiagnosisRow, ...]


def embed_list(
    diagnoses: DiagnosisList,
    bundle: Bundle,
    vocabulary: Vocabulary,
    load_text_encoder: Callable[[str], TextEncoder] = TextEncoder,
) -> Prompts:
    """Give every line of a list its direction.

    Known lines come from the bundle; the language model is loaded only if a line has words
    that the vocabulary does not know. Synonyms of a line are averaged. With counter-prompts, the
    direction is that from their mean to the line's: its cosine ranks recordings as the difference
    of the two cosines does.

    Raises
    ------
    LabelListError
        If a line needs a language model that is not on this machine, lies far from every ECG
        concept, is an unknown abbreviation or code, or means the same as its counter-prompts.
    BundleError
        If the installed language model is not the one that the bundle was trained with, or the
        bundle does not hold a concept of the list.
    """
    unknown = unknown_lines(diagnoses)
    free_text: dict[str, NDArray[np.float32]] = {}
    if unknown:
        _refuse_unknown_codes(diagnoses.name, unknown, vocabulary)
        try:
            text_encoder = load_text_encoder(str(bundle.manifest["text_encoder"]["name"]))
        except MissingExtraError as error:
            raise unknown_lines_error(diagnoses.name, unknown, vocabulary) from error
        except UsageError as error:
            name = str(bundle.manifest["text_encoder"]["name"])
            raise unknown_lines_error(
                diagnoses.name, unknown, vocabulary, language_model=name
            ) from error
        _check_text_encoder(text_encoder, bundle)
        for diagnosis in unknown:
            texts = diagnosis.all_free_texts
            raw = text_encoder.embed(texts)
            _refuse_far_text(diagnoses.name, diagnosis, raw, bundle, vocabulary)
            prompt = str(bundle.manifest["text_encoder"].get("prompt", "{text}"))
            if prompt != "{text}":
                raw = text_encoder.embed(prompted_texts(prompt, texts))
            projected = bundle.text_head.project(raw)
            free_text.update(zip(texts, projected, strict=True))
    vectors = [_vector(diagnoses.name, each, bundle, free_text) for each in diagnoses.diagnoses]
    directions = quantise_directions(np.stack(vectors))
    return Prompts(
        directions=directions,
        rows=tuple(
            _row(diagnosis, bundle, direction)
            for diagnosis, direction in zip(diagnoses.diagnoses, directions, strict=True)
        ),
    )


def prompted_texts(prompt: str, texts: Sequence[str]) -> list[str]:
    """Texts as they are put to the language model: ``{text}`` in the prompt stands for each."""
    return [prompt.replace("{text}", text) for text in texts]


def _vector(
    list_name: str,
    diagnosis: Diagnosis,
    bundle: Bundle,
    free_text: Mapping[str, NDArray[np.float32]],
) -> NDArray[np.float32]:
    """The direction of a line, float32 (D,), of any length but zero."""
    mean = _mean(diagnosis.concept_ids, diagnosis.free_texts, bundle, free_text)
    if not diagnosis.has_counter:
        return mean
    against = _mean(diagnosis.counter_concept_ids, diagnosis.counter_free_texts, bundle, free_text)
    contrast: NDArray[np.float32] = mean / np.linalg.norm(mean) - against / np.linalg.norm(against)
    if np.linalg.norm(contrast) < _OPPOSITE:
        raise LabelListError(
            f"{list_name}, line {diagnosis.line}: {diagnosis.name!r} and its counter-prompts mean "
            "the same",
            "name in counter_prompts what the diagnosis is to be told from",
        )
    return contrast


def _mean(
    concept_ids: Sequence[str],
    texts: Sequence[str],
    bundle: Bundle,
    free_text: Mapping[str, NDArray[np.float32]],
) -> NDArray[np.float32]:
    vectors = [*map(bundle.direction, concept_ids), *(free_text[text] for text in texts)]
    mean: NDArray[np.float32] = np.mean(vectors, axis=0)
    return mean


def _row(diagnosis: Diagnosis, bundle: Bundle, direction: NDArray[np.float64]) -> DiagnosisRow:
    threshold = list_threshold(diagnosis, bundle, direction)
    platt = None if diagnosis.has_counter else bundle.platt_scalings.get(diagnosis.code)
    return DiagnosisRow(
        name=diagnosis.name,
        code=diagnosis.code,
        severity=diagnosis.severity,
        source=_source(diagnosis, bundle),
        threshold=threshold.value,
        criterion=threshold.criterion,
        platt=platt,
        group=diagnosis.group,
        seen=not diagnosis.free_texts and bundle.seen_concepts.issuperset(diagnosis.concept_ids),
        note=threshold.note,
    )


def _source(diagnosis: Diagnosis, bundle: Bundle) -> str:
    """What the score rests on, in the words of the model card."""
    concepts = diagnosis.concept_ids + diagnosis.counter_concept_ids
    seen = [concept in bundle.seen_concepts for concept in concepts]
    if all(seen) and not diagnosis.all_free_texts:
        return "prompted (seen)"
    return "partly zero-shot" if any(seen) else "zero-shot"


def _refuse_unknown_codes(
    list_name: str, diagnoses: Sequence[Diagnosis], vocabulary: Vocabulary
) -> None:
    for diagnosis in diagnoses:
        for text, place in zip(diagnosis.all_free_texts, diagnosis.free_places, strict=True):
            if _NEVER_GUESSED.fullmatch(text):
                nearest = ", ".join(near.name for near in vocabulary.nearest(text, 3))
                raise LabelListError(
                    f"{position(list_name, place)}: {text!r} is no abbreviation and no code that "
                    f"the vocabulary knows (nearest: {nearest})",
                    "write the finding out in words: abbreviations are never guessed",
                )


def _check_text_encoder(text_encoder: TextEncoder, bundle: Bundle) -> None:
    expected = bundle.manifest["text_encoder"]["sha256"]
    if text_encoder.sha256 != expected:
        raise BundleError(
            f"the language model {text_encoder.name} has SHA-256 {text_encoder.sha256}, "
            f"{bundle.name} was trained with {expected}",
            "install the version of the language model that the bundle names",
        )
    pooling = bundle.manifest["text_encoder"].get("pooling", "mean")
    if text_encoder.pooling != pooling:
        raise BundleError(
            f"the language model {text_encoder.name} pools tokens by {text_encoder.pooling}, "
            f"{bundle.name} was trained with {pooling}",
            "restore the model's 1_Pooling/config.json as it was at the training",
        )


def _refuse_far_text(
    list_name: str,
    diagnosis: Diagnosis,
    raw: NDArray[np.float32],
    bundle: Bundle,
    vocabulary: Vocabulary,
) -> None:
    similarity = raw @ bundle.concept_texts.T
    for text, place, row in zip(
        diagnosis.all_free_texts, diagnosis.free_places, similarity, strict=True
    ):
        if row.max() < MIN_CONCEPT_SIMILARITY:
            nearest = _nearest(row, bundle, vocabulary)
            raise LabelListError(
                f"{position(list_name, place)}: {text!r} lies far from every ECG concept "
                f"(nearest: {', '.join(nearest)})",
                "name a finding of an ECG in the words of a report, in English unless the "
                "vocabulary knows it",
            )


def _nearest(
    similarity: NDArray[np.float32], bundle: Bundle, vocabulary: Vocabulary
) -> Sequence[str]:
    ids = list(bundle.concepts)
    best = np.argsort(-similarity, kind="stable")[:3]
    return [vocabulary.by_id[ids[i]].name for i in best if ids[i] in vocabulary.by_id]
