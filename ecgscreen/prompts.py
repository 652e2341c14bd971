"""From the lines of a list to directions in the embedding space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgscreen.bundle import Bundle
from ecgscreen.diagnoses import Diagnosis, DiagnosisList, load_list, unknown_lines
from ecgscreen.errors import BundleError, MissingExtraError, UsageError
from ecgscreen.label_list_faults import Faults, FaultyLinesError, LineError
from ecgscreen.list_thresholds import list_threshold
from ecgscreen.reports import DiagnosisRow
from ecgscreen.scoring import quantise_directions
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.unknown_words import far_texts, unknown_codes, without_language_model
from ecgscreen.vocabulary import Vocabulary

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


def read_prompts(
    labels: str,
    bundle: Bundle,
    vocabulary: Vocabulary,
    load_text_encoder: Callable[[str], TextEncoder] = TextEncoder,
) -> tuple[DiagnosisList, Prompts]:
    """Read a list and give its lines their directions; all faults of its lines in one error.

    Raises
    ------
    LabelListError, BundleError
        As `load_list` and `embed_list`.
    """
    try:
        diagnoses = load_list(labels)
    except FaultyLinesError as faulty:
        if faulty.understood is None:
            raise
        try:
            _free_text(faulty.understood, bundle, vocabulary, load_text_encoder)
        except FaultyLinesError as other:
            raise FaultyLinesError(*faulty.found, *other.found) from faulty
        except BundleError:
            raise faulty from None  # the language model is the next to be mended
        raise
    return diagnoses, embed_list(diagnoses, bundle, vocabulary, load_text_encoder)


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
    FaultyLinesError
        If lines need a language model that is not on this machine, lie far from every ECG
        concept, are unknown abbreviations or codes, or mean the same as their counter-prompts.
    BundleError
        If the installed language model is not the one that the bundle was trained with, or the
        bundle does not hold a concept of the list.
    """
    free_text = _free_text(diagnoses, bundle, vocabulary, load_text_encoder)
    vectors, faults = [], Faults()
    for each in diagnoses.diagnoses:
        with faults.caught():
            vectors.append(_vector(diagnoses.name, each, bundle, free_text))
    if faults:
        raise FaultyLinesError(faults)
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


def _free_text(
    diagnoses: DiagnosisList,
    bundle: Bundle,
    vocabulary: Vocabulary,
    load_text_encoder: Callable[[str], TextEncoder],
) -> dict[str, NDArray[np.float32]]:
    """The direction, float32 (D,), of each text that the vocabulary does not know."""
    unknown = unknown_lines(diagnoses)
    if not unknown:
        return {}
    codes, others = Faults(), Faults()
    unknown_codes(diagnoses.name, unknown, vocabulary, codes)
    name = str(bundle.manifest["text_encoder"]["name"])
    try:
        text_encoder = load_text_encoder(name)
        _check_text_encoder(text_encoder, bundle)
    except UsageError as error:
        missing = "" if isinstance(error, MissingExtraError) else name
        without_language_model(diagnoses.name, unknown, vocabulary, others, missing)
        raise FaultyLinesError(codes, others) from error
    except BundleError as error:
        if codes:
            raise FaultyLinesError(codes) from error
        raise
    prompt = str(bundle.manifest["text_encoder"].get("prompt", "{text}"))
    free_text: dict[str, NDArray[np.float32]] = {}
    for diagnosis in unknown:
        texts = diagnosis.all_free_texts
        raw = text_encoder.embed(texts)
        far_texts(diagnoses.name, diagnosis, raw, bundle, vocabulary, others)
        if prompt != "{text}":
            raw = text_encoder.embed(prompted_texts(prompt, texts))
        free_text.update(zip(texts, bundle.text_head.project(raw), strict=True))
    if codes or others:
        raise FaultyLinesError(codes, others)
    return free_text


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
        raise LineError(
            list_name,
            (diagnosis.line, 0),
            f"{diagnosis.name!r} and its counter-prompts mean the same",
            "Name in counter_prompts what the diagnosis is to be told from.",
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


def _check_text_encoder(text_encoder: TextEncoder, bundle: Bundle) -> None:
    expected = bundle.manifest["text_encoder"]["sha256"]
    if text_encoder.sha256 != expected:
        raise BundleError(
            f"the language model {text_encoder.name} has SHA-256 {text_encoder.sha256}, "
            f"{bundle.name} was trained with {expected}",
            "Install the version of the language model that the bundle names.",
        )
    pooling = bundle.manifest["text_encoder"].get("pooling", "mean")
    if text_encoder.pooling != pooling:
        raise BundleError(
            f"the language model {text_encoder.name} pools tokens by {text_encoder.pooling}, "
            f"{bundle.name} was trained with {pooling}",
            "Restore the model's 1_Pooling/config.json as it was at the training.",
        )
