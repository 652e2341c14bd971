"""What an encoder is trained towards, as objects that the loop can take turns with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ecgscreen.prompts import prompted_texts
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import Vocabulary
from trainer import distributed
from trainer.config import TrainConfig
from trainer.data import LabelledRecordings
from trainer.losses import clip_loss, statement_loss
from trainer.model import EcgTextModel, EncoderModel
from trainer.reports import to_english
from trainer.signs import SIGNS, signs_of
from trainer.text_cache import CachedTextEncoder


class Objective(ABC):
    """A model, its loss on a batch, and the scores that it gives.

    Attributes
    ----------
    model
        What is trained.
    seen
        Concept ids with at least one positive among the training recordings: `score` is of these.
    seen_columns
        Their columns in `LabelledRecordings.carried`, shape (K,).
    """

    model: EncoderModel

    def __init__(self, recordings: LabelledRecordings, rows: NDArray[np.intp]) -> None:
        self.seen_columns = np.flatnonzero(recordings.carried[rows].any(axis=0))
        self.seen = tuple(recordings.concept_ids[k] for k in self.seen_columns)

    @abstractmethod
    def loss(self, features: Tensor, rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        features
            Pooled features, shape (N, 2 * width).
        rows
            Row numbers of the recordings, shape (N,).
        rng
            Draws whatever is drawn.
        """

    @abstractmethod
    def score(self, features: Tensor) -> Tensor:
        """Scores of the concepts in `seen`, shape (N, K), of features in evaluation mode."""

    def view(self, features: Tensor) -> Tensor:
        """Unit vectors (N, D) that the loss between views compares."""
        return functional.normalize(self.model.encoder.head(features).float(), dim=-1)


class _TextObjective(Objective):
    """Recordings against texts of a frozen language model, embedded once."""

    def __init__(
        self,
        recordings: LabelledRecordings,
        rows: NDArray[np.intp],
        vocabulary: Vocabulary,
        config: TrainConfig,
        scale: float,
        text_encoder: TextEncoder | None,
    ) -> None:
        super().__init__(recordings, rows)
        self.text_encoder = text_encoder or CachedTextEncoder(config.text_encoder)
        self._prompt = config.prompt
        self._wordings = [self._embed(vocabulary.by_id[id_].wordings) for id_ in self.seen]
        self.model: EcgTextModel = EcgTextModel(
            config.encoder, self._wordings[0].shape[1], text_head=config.text_head, scale=scale
        )

    def _embed(self, texts: Sequence[str]) -> Tensor:
        return torch.from_numpy(self.text_encoder.embed(prompted_texts(self._prompt, texts)))

    def score(self, features: Tensor) -> Tensor:
        """Cosines with the mean direction of each concept's wordings, shape (N, K)."""
        directions = [
            self.model.text(wordings.to(features.device)).mean(dim=0) for wordings in self._wordings
        ]
        return self.view(features) @ functional.normalize(torch.stack(directions), dim=-1).T


class StatementObjective(_TextObjective):
    """Every statement is a text; a recording carries several of them.

    Signs (`trainer.signs`) are statements too, made by measuring: they teach the text side what
    diagnoses are made of, so that one that no recording carries can be described.
    """

    def __init__(
        self,
        recordings: LabelledRecordings,
        rows: NDArray[np.intp],
        vocabulary: Vocabulary,
        config: TrainConfig,
        text_encoder: TextEncoder | None = None,
    ) -> None:
        super().__init__(recordings, rows, vocabulary, config, 10.0, text_encoder)
        carried = carried_by(recordings, self.seen_columns)
        weight = statement_weights(carried[rows], config.rarity_power)
        self._texts = list(self._wordings)
        self._carried, self._weight = carried, weight.expand(len(carried), -1)
        if config.sign_weight:
            self._add_signs(recordings, rows, config)

    def _add_signs(
        self, recordings: LabelledRecordings, rows: NDArray[np.intp], config: TrainConfig
    ) -> None:
        shown = torch.full((len(recordings.windows), len(SIGNS)), torch.nan)
        shown[rows] = torch.from_numpy(
            signs_of(
                recordings.windows[rows],
                recordings.lead_mask[rows],
                config.preprocess.sampling_rate,
            )
        )
        known = shown.isfinite()
        shown = shown.nan_to_num(0.0)
        weight = config.sign_weight * statement_weights(shown[rows], config.rarity_power)
        self._texts += [self._embed(sign.wordings) for sign in SIGNS]
        self._carried = torch.cat([self._carried, shown], dim=1)
        # What is not known counts neither as shown nor as absent.
        self._weight = torch.cat([self._weight, known * weight], dim=1)

    def loss(self, features: Tensor, rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        """See `trainer.losses.statement_loss`; a wording of each text is drawn anew."""
        device = features.device
        texts = torch.stack([w[rng.integers(len(w))] for w in self._texts])
        similarity = self.view(features) @ self.model.text(texts.to(device)).T
        return statement_loss(
            similarity.float(),
            self._carried[rows].to(device),
            self.model.log_scale.exp(),
            self.model.bias,
            self._weight[rows].to(device),
        )


class ClipObjective(_TextObjective):
    """Every recording against its own report, among the reports of the batch."""

    def __init__(
        self,
        recordings: LabelledRecordings,
        rows: NDArray[np.intp],
        vocabulary: Vocabulary,
        config: TrainConfig,
        text_encoder: TextEncoder | None = None,
    ) -> None:
        super().__init__(recordings, rows, vocabulary, config, 1 / config.temperature, text_encoder)
        texts = report_texts(recordings, vocabulary)
        distinct = sorted({texts[row] for row in rows})
        place = {text: k for k, text in enumerate(distinct)}
        self._reports = self._embed(distinct)
        self._report_of = np.array([place.get(text, -1) for text in texts])

    def loss(self, features: Tensor, rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        """See `trainer.losses.clip_loss`; among the reports of all processes, nothing is drawn."""
        del rng
        reports = self._reports[self._report_of[rows]].to(features.device)
        signal, text = self.view(features), self.model.text(reports)
        # A hundredth of the scale, CLIP's bound: beyond it training is unstable.
        scale = self.model.log_scale.exp().clamp(max=100.0)
        with torch.autocast(features.device.type, enabled=False):
            return clip_loss(distributed.gather(signal), distributed.gather(text), scale)


def text_objective(
    recordings: LabelledRecordings,
    rows: NDArray[np.intp],
    vocabulary: Vocabulary,
    config: TrainConfig,
    text_encoder: TextEncoder | None = None,
) -> StatementObjective | ClipObjective:
    """The objective that the configuration names, for the recordings in some rows.

    The frozen language model is loaded by the name in the configuration if it is not given.
    """
    if config.objective == "clip":
        return ClipObjective(recordings, rows, vocabulary, config, text_encoder)
    return StatementObjective(recordings, rows, vocabulary, config, text_encoder)


def report_texts(recordings: LabelledRecordings, vocabulary: Vocabulary) -> tuple[str, ...]:
    """A text for each of N recordings: its report in English, else the names of its statements.

    A report of which nothing is left without boilerplate counts as none. Statements are those of
    the recording itself; superclasses and other groups, which follow from them, are not named.
    """
    reports = recordings.reports or ("",) * len(recordings.windows)
    is_statement = [vocabulary.by_id[i].kind == "statement" for i in recordings.concept_ids]
    carried = recordings.carried & np.array(is_statement)
    names = [vocabulary.by_id[i].name for i in recordings.concept_ids]
    return tuple(
        to_english(report) or ", ".join(names[k] for k in np.flatnonzero(row))
        for report, row in zip(reports, carried, strict=True)
    )


def carried_by(recordings: LabelledRecordings, columns: NDArray[np.intp]) -> Tensor:
    """float32, shape (N, len(columns)): 1 where a recording carries a concept."""
    return torch.from_numpy(recordings.carried[:, columns].astype(np.float32))


def statement_weights(carried: Tensor, power: float) -> Tensor:
    """How much each of K concepts counts, by its rarity in ``carried``, shape (N, K)."""
    frequency = carried.mean(dim=0)
    # Where no concept is carried at all, as signs of recordings of two leads, they count alike.
    rarity = (frequency.mean() / frequency).nan_to_num(nan=1.0)
    weight: Tensor = rarity.clamp(max=100.0) ** power
    return weight
