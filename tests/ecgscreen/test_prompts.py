"""From words to directions: known ones without a language model, free text with the right one."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.diagnoses import load_list
from ecgscreen.errors import BundleError, LabelListError, MissingExtraError
from ecgscreen.info import list_lines
from ecgscreen.prompts import Prompts, embed_list, read_prompts
from ecgscreen.scoring import quantise_directions
from ecgscreen.text_encoder import PACKAGED, TextEncoder
from ecgscreen.vocabulary import load_vocabulary
from tests.ecgscreen.bundles import npz, rewritten
from trainer.encoder import EncoderConfig
from trainer.model import EcgTextModel

ROOT = Path(__file__).parents[2]
FREE = "a finding that nobody has described"


@pytest.fixture
def bundle(bundle_dir: Path) -> Bundle:
    return load_bundle(bundle_dir)


def prompts_of(bundle: Bundle, folder: Path, *lines: str) -> Prompts:
    path = folder / "mine.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return embed_list(load_list(str(path)), bundle, load_vocabulary())


KNOWN_WITHOUT_TORCH = """
import sys
from pathlib import Path
from ecgscreen.bundle import load_bundle
from ecgscreen.diagnoses import load_list
from ecgscreen.prompts import embed_list
from ecgscreen.vocabulary import load_vocabulary
bundle = load_bundle(Path(sys.argv[1]))
for name in ("superclass.txt", "rhythm.txt", sys.argv[2]):
    prompts = embed_list(load_list(name), bundle, load_vocabulary())
print(prompts.directions.shape[0], sorted({"torch", "transformers", "scipy"} & set(sys.modules)))
"""


def test_known_lines_load_no_language_model(bundle_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("Vorhofflimmern | AFIB\nLBBB\n164889003\n", encoding="utf-8")
    finished = subprocess.run(
        [sys.executable, "-c", KNOWN_WITHOUT_TORCH, str(bundle_dir), str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert finished.stdout == "3 []\n"


def test_a_known_line_is_the_concept(bundle: Bundle, tmp_path: Path) -> None:
    prompts = prompts_of(bundle, tmp_path, "LBBB", "Vorhofflimmern", "left bundle branch block")
    expected = quantise_directions(np.stack([bundle.concepts["AFIB"]]))[0]
    assert prompts.directions.dtype == np.float64
    assert prompts.directions[1].tobytes() == expected.tobytes()
    assert prompts.directions[0].tobytes() == prompts.directions[2].tobytes()
    assert [row.name for row in prompts.rows] == [
        "LBBB",
        "Vorhofflimmern",
        "left bundle branch block",
    ]
    assert prompts.rows[1].code == "AFIB"


def test_synonyms_are_averaged(bundle: Bundle, tmp_path: Path) -> None:
    prompts = prompts_of(bundle, tmp_path, "AFIB | AFLT", "AFIB | atrial fibrillation")
    mean = (bundle.concepts["AFIB"] + bundle.concepts["AFLT"]) / 2
    expected = mean / np.linalg.norm(mean)
    assert prompts.directions[0] == pytest.approx(expected, abs=1e-5)
    # Two words for one concept count once.
    assert prompts.directions[1] == pytest.approx(bundle.concepts["AFIB"], abs=1e-5)
    assert [row.code for row in prompts.rows] == ["", "AFIB"]


def test_free_text_goes_through_the_language_model(
    bundle: Bundle, language_model: Path, tmp_path: Path
) -> None:
    other = "another finding"
    prompts = prompts_of(bundle, tmp_path, "AFIB", FREE, f"{FREE} | {other}", f"AFIB | {FREE}")
    raw = TextEncoder(str(language_model)).embed([FREE, other])
    first, second = bundle.text_head.project(raw).astype(np.float64)
    assert prompts.directions[1] == pytest.approx(first, abs=1e-5)
    both = (first + second) / np.linalg.norm(first + second)
    assert prompts.directions[2] == pytest.approx(both, abs=1e-5)
    mixed = first + bundle.concepts["AFIB"]
    assert prompts.directions[3] == pytest.approx(mixed / np.linalg.norm(mixed), abs=1e-5)


def test_what_a_score_rests_on_is_said(bundle: Bundle, tmp_path: Path) -> None:
    unseen = next(c for c in bundle.concepts if c not in bundle.seen_concepts)
    assert "AFIB" in bundle.seen_concepts
    prompts = prompts_of(
        bundle, tmp_path, "AFIB", unseen, FREE, f"AFIB | {unseen}", f"AFIB | {FREE}"
    )
    assert [row.source for row in prompts.rows] == [
        "prompted (seen)",
        "zero-shot",
        "zero-shot",
        "partly zero-shot",
        "partly zero-shot",
    ]


def test_thresholds_belong_to_one_concept(bundle: Bundle, tmp_path: Path) -> None:
    concept, point = next(iter(bundle.operating_points.items()))
    without = next(c for c in bundle.concepts if c not in bundle.operating_points)
    prompts = prompts_of(bundle, tmp_path, concept, without, f"{concept} | {without}", FREE)
    thresholds = [row.threshold for row in prompts.rows]
    assert thresholds[0] == point.threshold
    assert np.isnan(thresholds[1:]).all()
    assert {row.severity for row in prompts.rows} == {"info"}
    lines = list(list_lines(load_list(str(tmp_path / "mine.txt")), prompts.rows, bundle))
    assert f"flagged from {point.threshold:.3f}" in lines[0]
    assert all("ranked, not flagged" in line for line in lines[1:4])
    nearest = load_vocabulary().nearest(FREE, 1)[0].name
    assert f"{FREE!r} as free text (nearest known: {nearest})" in lines[3]


def test_another_language_model_is_refused(
    bundle: Bundle, bundle_dir: Path, tmp_path: Path
) -> None:
    name = bundle.manifest["text_encoder"]["name"]
    changed = rewritten(
        bundle_dir, tmp_path / "bundle", text_encoder={"name": name, "sha256": "0" * 64}
    )
    with pytest.raises(BundleError, match=f"was trained with {'0' * 64}") as caught:
        prompts_of(load_bundle(changed), tmp_path, "AFIB", FREE)
    assert bundle.manifest["text_encoder"]["sha256"] in caught.value.message
    # Without free text no language model is asked for.
    assert len(prompts_of(load_bundle(changed), tmp_path, "AFIB").rows) == 1


def test_without_a_language_model_the_line_and_the_ways_out_are_named(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "ecgscreen.text_encoder.find_spec",
        lambda name: None if name == "torch" else find_spec(name),
    )
    with pytest.raises(
        LabelListError, match=r"mine\.txt, line 2, column 1: not in the vocab"
    ) as caught:
        prompts_of(bundle, tmp_path, "AFIB", "atrial fibrilation")
    assert "atrial fibrillation" in caught.value.message
    assert "ecgscreen[text]" in caught.value.advice
    assert isinstance(caught.value.__cause__, MissingExtraError)


def test_a_language_model_that_is_not_here_is_needed_for_free_text_only(
    bundle_dir: Path, tmp_path: Path
) -> None:
    place = str(tmp_path / "on another machine")
    changed = rewritten(
        bundle_dir, tmp_path / "bundle", text_encoder={"name": place, "sha256": "0" * 64}
    )
    elsewhere = load_bundle(changed)
    assert len(prompts_of(elsewhere, tmp_path, "AFIB", "Vorhofflimmern").rows) == 2
    with pytest.raises(
        LabelListError, match=r"mine\.txt, line 2, column 1: not in the vocab"
    ) as caught:
        prompts_of(elsewhere, tmp_path, "AFIB", FREE)
    assert place in caught.value.advice


def test_a_language_model_that_pools_otherwise_is_refused(
    bundle: Bundle, bundle_dir: Path, tmp_path: Path
) -> None:
    trained = {**bundle.manifest["text_encoder"], "pooling": "cls"}
    changed = rewritten(bundle_dir, tmp_path / "bundle", text_encoder=trained)
    with pytest.raises(BundleError, match=r"pools tokens by mean, .* was trained with cls"):
        prompts_of(load_bundle(changed), tmp_path, "AFIB", FREE)


def test_a_concept_newer_than_the_bundle(bundle: Bundle, bundle_dir: Path, tmp_path: Path) -> None:
    ids = np.array([c for c in bundle.concepts if c != "AFIB"])
    vectors = np.stack([bundle.concepts[c] for c in ids])
    contents = {"concepts.npz": npz(ids=ids, embeddings=vectors, texts=bundle.concept_texts[1:])}
    older = load_bundle(rewritten(bundle_dir, tmp_path / "bundle", contents=contents))
    with pytest.raises(BundleError, match="no concept 'AFIB'"):
        prompts_of(older, tmp_path, "AFIB")


@pytest.fixture(scope="module")
def packaged() -> TextEncoder:
    """The language model that the extra brings along."""
    try:
        return TextEncoder(PACKAGED)
    except MissingExtraError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="module")
def packaged_bundle(
    bundle_dir: Path, packaged: TextEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    """The tiny bundle over the packaged language model, with every concept's name embedded."""
    concepts = load_vocabulary().concepts
    torch.manual_seed(3)
    texts = packaged.embed([concept.name for concept in concepts])
    head = EcgTextModel(EncoderConfig(embedding_size=16), texts.shape[1]).text.as_text_head()
    contents = {
        "text_head.npz": npz(**vars(head)),
        "concepts.npz": npz(
            ids=np.array([c.id for c in concepts]), embeddings=head.project(texts), texts=texts
        ),
    }
    folder = tmp_path_factory.mktemp("packaged") / "bundle"
    named = {"name": packaged.name, "sha256": packaged.sha256}
    return load_bundle(rewritten(bundle_dir, folder, contents=contents, text_encoder=named))


def embed_with(bundle: Bundle, encoder: TextEncoder, folder: Path, *lines: str) -> Prompts:
    path = folder / "mine.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return embed_list(load_list(str(path)), bundle, load_vocabulary(), lambda _name: encoder)


@pytest.mark.parametrize(
    "text", ["banana bread", "quarterly tax return", "patient discharged home"]
)
def test_far_text_is_refused_with_the_nearest_concepts(
    packaged_bundle: Bundle, packaged: TextEncoder, tmp_path: Path, text: str
) -> None:
    with pytest.raises(LabelListError, match=f"line 2, column 1: '{text}' lies far") as caught:
        embed_with(packaged_bundle, packaged, tmp_path, "AFIB", text)
    nearest = caught.value.message.partition("(nearest in spelling: ")[2]
    names = {concept.name for concept in load_vocabulary().concepts}
    assert sum(name in nearest for name in names) >= 3
    assert "in English" in caught.value.advice


@pytest.mark.parametrize("text", ["XYZQ", "164889004", "SNOMED 12345", "AHA 9999", "LQT3"])
def test_abbreviations_and_codes_are_never_guessed(
    bundle: Bundle, tmp_path: Path, text: str
) -> None:
    with pytest.raises(LabelListError, match=f"line 2, column 8: '{text}' is no abbrev") as caught:
        prompts_of(bundle, tmp_path, "AFIB", f"AFIB | {text}")
    assert "(nearest: " in caught.value.message


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("Vorhofflatern", "atrial flutter"),
        ("Rechtsschenkelblok", "complete right bundle branch block"),
    ],
)
def test_a_slip_of_the_pen_in_german_shows_what_was_meant(
    packaged_bundle: Bundle, packaged: TextEncoder, tmp_path: Path, slip: str, meant: str
) -> None:
    with pytest.raises(LabelListError, match=rf"\(nearest in spelling: {meant},"):
        embed_with(packaged_bundle, packaged, tmp_path, slip)


def test_far_text_among_synonyms_is_refused_too(
    packaged_bundle: Bundle, packaged: TextEncoder, tmp_path: Path
) -> None:
    with pytest.raises(LabelListError, match="'banana bread' lies far"):
        embed_with(packaged_bundle, packaged, tmp_path, "AFIB | banana bread")


def test_all_far_texts_codes_and_bad_lines_are_told_in_one_go(
    packaged_bundle: Bundle, packaged: TextEncoder, tmp_path: Path
) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("banana bread\nAFIB\nXYZQ\nquarterly tax return\n???\n", encoding="utf-8")
    with pytest.raises(LabelListError) as caught:
        read_prompts(str(path), packaged_bundle, load_vocabulary(), lambda _name: packaged)
    said = [row.removeprefix(f"{path}, ") for row in caught.value.message.splitlines()]
    assert [row[: row.index("'")] for row in said] == [
        f"line {number}, column 1: " for number in (1, 3, 4, 5)
    ]
    assert ["lies far" in row for row in said] == [True, False, True, False]
    assert len(caught.value.advice.splitlines()) == 3


def test_clinical_wordings_are_taken(
    packaged_bundle: Bundle, packaged: TextEncoder, tmp_path: Path
) -> None:
    texts = (
        "coved ST elevation in the right precordial leads",
        "sawtooth flutter waves in the inferior leads",
        "irregularly irregular narrow complex rhythm",
        "ST depression in the lateral leads",
    )
    prompts = embed_with(packaged_bundle, packaged, tmp_path, *texts)
    assert [row.source for row in prompts.rows] == ["zero-shot"] * 4
    raw = packaged.embed(texts)
    expected = quantise_directions(packaged_bundle.text_head.project(raw))
    assert prompts.directions == pytest.approx(expected, abs=1e-5)
