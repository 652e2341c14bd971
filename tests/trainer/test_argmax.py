"""Protocol argmax: which cases, which classes, which figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecgscreen.bundle import Bundle, load_bundle
from ecgscreen.errors import UsageError
from ecgscreen.vocabulary import load_vocabulary
from trainer.argmax import MIN_CASES, ArgmaxEvaluation, evaluate_argmax, single_class_cases
from trainer.confusion import class_figures, confusion_matrix, macro_figures
from trainer.datasets import EmbeddedSet

CLASSES = ("AFIB", "PVC", "CLBBB", "PACE")


def test_figures_of_a_confusion_matrix() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
    given = np.array([0, 0, 0, 1, 1, 0, 2, 2, 0, 1])
    confusion = confusion_matrix(truth, given, 3)
    assert confusion.tolist() == [[3, 1, 0], [1, 1, 0], [1, 1, 2]]
    precision, recall, f1 = class_figures(confusion)
    np.testing.assert_allclose(precision, [3 / 5, 1 / 3, 1.0])
    np.testing.assert_allclose(recall, [3 / 4, 1 / 2, 1 / 2])
    np.testing.assert_allclose(f1, [2 / 3, 2 / 5, 2 / 3])
    figures = macro_figures(confusion)
    assert figures.accuracy == 0.6
    assert figures.f1 == pytest.approx((2 / 3 + 2 / 5 + 2 / 3) / 3)


def test_a_class_without_cases_takes_no_part_in_the_means() -> None:
    confusion = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 4]])
    figures = macro_figures(confusion)
    # The case given the absent class is still an error of its own class.
    assert figures.recall == pytest.approx((3 / 4 + 1) / 2)
    assert figures.precision == 1.0
    assert figures.accuracy == 7 / 8


def test_a_class_never_given_has_precision_nought() -> None:
    figures = macro_figures(np.array([[0, 4], [0, 4]]))
    assert (figures.precision, figures.recall) == (0.25, 0.5)
    assert figures.f1 == pytest.approx(1 / 3)


def test_cases_with_one_class_only() -> None:
    carried = np.zeros((12, 3), dtype=np.bool_)
    carried[:5, 0] = True
    carried[5:9, 1] = True
    carried[9:11, 2] = True  # rare
    carried[4, 2] = True  # two classes: stays so although one of them is rare
    chosen = single_class_cases(carried, min_cases=4)
    assert chosen.classes == (0, 1)
    assert chosen.rows.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert chosen.truth.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert (chosen.n_no_class, chosen.n_several, chosen.n_rare) == (1, 1, 2)


def test_positions_are_those_of_the_classes_that_take_part() -> None:
    carried = np.zeros((9, 3), dtype=np.bool_)
    carried[:4, 0] = carried[5:, 2] = True
    carried[4, 1] = True
    chosen = single_class_cases(carried, min_cases=4)
    assert chosen.classes == (0, 2)
    assert chosen.truth.tolist() == [0] * 4 + [1] * 4


@pytest.fixture(scope="module")
def bundle(bundle_dir: Path) -> Bundle:
    return load_bundle(bundle_dir)


def prompted(
    bundle: Bundle, truth: list[str], seen_as: list[str], patients: list[str]
) -> EmbeddedSet:
    """Cases that carry one class and lie exactly where a concept lies."""
    directions = np.stack([bundle.direction(name) for name in seen_as])
    return EmbeddedSet(
        embeddings=directions.astype(np.float16),
        concept_ids=(*CLASSES, "SR"),
        carried=np.array([[name == concept for concept in (*CLASSES, "SR")] for name in truth]),
        patients=np.array(patients),
        skipped=(),
    )


def evaluate(bundle: Bundle, cases: EmbeddedSet) -> ArgmaxEvaluation:
    concepts = [load_vocabulary().by_id[name] for name in CLASSES]
    return evaluate_argmax(
        bundle, cases, cases.embeddings, concepts, task="test", dataset=("simulated",)
    )


def test_the_nearest_prompt_is_given(bundle: Bundle) -> None:
    truth = ["AFIB"] * 6 + ["PVC"] * 5 + ["CLBBB"] * 4 + ["PACE"] * 3 + ["SR"] * 2
    seen_as = ["AFIB"] * 5 + ["PVC"] * 6 + ["CLBBB"] * 4 + ["PACE"] * 3 + ["AFIB"] * 2
    cases = prompted(bundle, truth, seen_as, [f"{n}" for n in range(20)])
    found = evaluate(bundle, cases)
    assert found.classes == ("AFIB", "PVC", "CLBBB")  # PACE has fewer than 4 cases
    assert found.confusion == ((5, 1, 0), (0, 5, 0), (0, 0, 4))
    assert (found.n, found.n_no_class, found.n_several, found.n_rare) == (15, 2, 0, 3)
    assert found.accuracy == 14 / 15
    assert found.per_class["PVC"].precision == 5 / 6
    assert found.per_class["AFIB"].recall == 5 / 6
    assert found.per_class["CLBBB"].auc == 1.0
    assert found.f1 == pytest.approx((10 / 11 + 10 / 11 + 1) / 3)
    assert found.f1_ci.low < found.f1 < found.f1_ci.high <= 1.0
    assert found.baselines["majority class"].accuracy == 6 / 15
    assert found.baselines["majority class"].f1 == pytest.approx(2 * 6 / 21 / 3)
    shares = np.array([6, 5, 4]) / 15
    assert found.baselines["prevalence"].accuracy == pytest.approx((shares**2).sum())
    assert found.baselines["prevalence"].f1 == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("name", "often"), [("prevalence", [0.45, 0.3, 0.15, 0.1]), ("chance", [0.25] * 4)]
)
def test_baselines_are_what_drawing_gives(name: str, often: list[float]) -> None:
    from trainer.argmax import _baselines

    n_cases = np.array([900, 600, 300, 200])
    truth = np.repeat(np.arange(4), n_cases)
    rng = np.random.default_rng(0)
    drawn = [
        macro_figures(confusion_matrix(truth, rng.choice(4, len(truth), p=often), 4))
        for _ in range(50)
    ]
    expected = _baselines(n_cases)[name]
    for figure in ("accuracy", "precision", "recall", "f1"):
        found = np.mean([getattr(figures, figure) for figures in drawn])
        assert found == pytest.approx(getattr(expected, figure), abs=0.005)
    assert expected.macro_auc == 0.5


def test_intervals_are_over_patients_not_over_cases(bundle: Bundle) -> None:
    truth = ["AFIB", "PVC"] * 40
    seen_as = ["AFIB", "PVC"] * 30 + ["PVC", "AFIB"] * 10
    many = evaluate(bundle, prompted(bundle, truth, seen_as, [f"{n}" for n in range(80)]))
    few = evaluate(bundle, prompted(bundle, truth, seen_as, [f"{n // 20}" for n in range(80)]))
    assert many.accuracy == few.accuracy == 0.75
    assert many.accuracy_ci.high - many.accuracy_ci.low < 0.25
    assert few.accuracy_ci.high - few.accuracy_ci.low > 0.4
    assert (many.n_patients, few.n_patients) == (80, 4)


def test_two_classes_are_needed(bundle: Bundle) -> None:
    truth = ["AFIB"] * MIN_CASES + ["PVC"] * (MIN_CASES - 1)
    cases = prompted(bundle, truth, truth, [f"{n}" for n in range(len(truth))])
    with pytest.raises(UsageError, match="1 class of the task"):
        evaluate(bundle, cases)
