"""A whole model bundle of an untrained encoder, exported the way a trained one is.

Its scores mean nothing; everything else about it is real, and it is made in seconds.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch

from ecgscreen.simulate import write_dataset
from ecgscreen.text_encoder import TextEncoder
from ecgscreen.vocabulary import load_vocabulary
from trainer.config import TrainConfig
from trainer.data import DATABASE, load_ptbxl
from trainer.encoder import EncoderConfig
from trainer.export import export_bundle
from trainer.model import EcgTextModel
from trainer.train import TrainedModel

NAME = "tiny"
TRAIN_FOLD, VALIDATION_FOLD = 1, 2
ENCODER = EncoderConfig(widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), embedding_size=16)
TEXT_SIZE = 32
N_RECORDINGS = 144
"""Half of them in each fold: a third is in sinus rhythm, enough for thresholds."""
_SEED = 11


def write_tiny_bundle(
    folder: Path, recordings: Path, language_model: Path, *, with_reference: bool = True
) -> Path:
    """Export an untrained encoder with narrow stages.

    Parameters
    ----------
    folder
        Of the bundle; does not exist or is empty.
    recordings
        A folder of `write_simulated_ptbxl`.
    language_model
        A folder of `write_tiny_language_model`, or any other.
    with_reference
        See `export_bundle`.

    Returns
    -------
    The bundle's folder.
    """
    torch.manual_seed(_SEED)
    config = TrainConfig(
        train_folds=(TRAIN_FOLD,),
        validation_folds=(VALIDATION_FOLD,),
        text_encoder=str(language_model),
        encoder=ENCODER,
    )
    vocabulary = load_vocabulary()
    labelled = load_ptbxl(
        [recordings], (TRAIN_FOLD, VALIDATION_FOLD), vocabulary, config.preprocess
    )
    text_encoder = TextEncoder(config.text_encoder)
    trained = TrainedModel(
        model=EcgTextModel(config.encoder, TEXT_SIZE).eval(),
        seen=tuple(np.array(labelled.concept_ids)[labelled.carried.any(axis=0)].tolist()),
        text_encoder=text_encoder,
        history=(),
    )
    export_bundle(
        trained,
        labelled,
        vocabulary,
        config,
        folder,
        name=NAME,
        dataset=["simulated recordings"],
        licence="Apache-2.0",
        with_reference=with_reference,
    )
    return folder


def write_tiny_language_model(folder: Path) -> Path:
    """Write a transformer of one layer with random weights that spells; returns the folder."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True)
    letters = "abcdefghijklmnopqrstuvwxyzäöüß0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{a}" for a in letters)]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    torch.manual_seed(_SEED)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=TEXT_SIZE,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * TEXT_SIZE,
        max_position_embeddings=256,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def write_simulated_ptbxl(folder: Path) -> Path:
    """Write simulated recordings and a table of them in PTB-XL's layout; returns the folder.

    Every recording is of a patient of its own; the folds take turns.
    """
    truth = write_dataset(folder, N_RECORDINGS, _SEED, sampling_rate=100.0)
    with (
        truth.open(encoding="utf-8", newline="") as source,
        (folder / DATABASE).open("w", encoding="utf-8", newline="") as target,
    ):
        table = csv.writer(target)
        table.writerow(("patient_id", "age", "sex", "scp_codes", "strat_fold", "filename_lr"))
        for number, row in enumerate(csv.DictReader(source)):
            codes = dict.fromkeys(row["statements"].split(";"), 100.0)
            fold = (TRAIN_FOLD, VALIDATION_FOLD)[number % 2]
            name = Path(row["path"]).stem
            table.writerow((number, 40 + number % 50, number % 2, codes, fold, name))
    return folder
