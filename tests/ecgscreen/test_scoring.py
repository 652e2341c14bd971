from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.scoring import (
    DIRECTION_STEP,
    flags,
    percentiles,
    quantise_directions,
    record_embedding,
    score,
)

D = 128


def unit_rows(n: int, seed: int, size: int = D) -> NDArray[np.float64]:
    # A heavy tail, so that float16 subnormals and components near 1 both occur.
    rows = np.random.default_rng(seed).standard_normal((n, size)) ** 5
    units: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return units


@pytest.fixture(scope="module")
def embeddings() -> NDArray[np.float16]:
    return unit_rows(60, seed=1).astype(np.float16)


@pytest.fixture(scope="module")
def directions() -> NDArray[np.float64]:
    return quantise_directions(unit_rows(7, seed=2))


def test_a_score_is_the_exact_sum_rounded_once(
    embeddings: NDArray[np.float16], directions: NDArray[np.float64]
) -> None:
    assert (np.abs(embeddings[embeddings != 0]) < 2.0**-14).any(), "no subnormals in the test"
    scores = score(embeddings[:12], directions)
    for n, embedding in enumerate(embeddings[:12]):
        for k, direction in enumerate(directions):
            exact = sum(
                (Fraction(float(e)) * Fraction(float(d)))
                for e, d in zip(embedding, direction, strict=True)
            )
            assert Fraction(float(exact)) == exact, "float64 cannot hold the sum"
            assert scores[n, k] == np.float32(float(exact))


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_components_and_rows_changes_no_bit(
    embeddings: NDArray[np.float16], directions: NDArray[np.float64], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    components, rows = rng.permutation(D), rng.permutation(len(embeddings))
    shuffled = score(
        np.asfortranarray(embeddings[np.ix_(rows, components)]), directions[:, components]
    )
    assert shuffled.tobytes() == score(embeddings, directions)[rows].tobytes()


@pytest.mark.parametrize("batch", [1, 2, 7, 33])
def test_the_batch_changes_no_bit(
    embeddings: NDArray[np.float16], directions: NDArray[np.float64], batch: int
) -> None:
    parts = [score(embeddings[i : i + batch], directions) for i in range(0, len(embeddings), batch)]
    assert np.concatenate(parts).tobytes() == score(embeddings, directions).tobytes()
    one_by_one = [score(embeddings, directions[k : k + 1]) for k in range(len(directions))]
    assert np.hstack(one_by_one).tobytes() == score(embeddings, directions).tobytes()


def test_a_score_of_zero_has_no_sign() -> None:
    embedding = np.array([[0.0, 1.0]], np.float16)
    direction = np.array([[-1.0, -0.0]])
    assert not np.signbit(score(embedding, direction)).any()


def test_rows_without_embedding_have_no_score(
    embeddings: NDArray[np.float16], directions: NDArray[np.float64]
) -> None:
    some = embeddings[:3].copy()
    some[1, 5] = np.nan
    scores = score(some, directions)
    assert np.isnan(scores[1]).all()
    assert scores[[0, 2]].tobytes() == score(embeddings[[0, 2]], directions).tobytes()
    assert score(some[:0], directions).shape == (0, len(directions))


def test_what_would_not_be_exact_is_refused(
    embeddings: NDArray[np.float16], directions: NDArray[np.float64]
) -> None:
    with pytest.raises(ValueError, match="multiples of 2\\^-20"):
        score(embeddings, directions + 1e-9)
    with pytest.raises(ValueError, match="unit vectors"):
        score(embeddings * np.float16(1000), directions)
    with pytest.raises(ValueError, match="unit vectors"):
        score(embeddings, directions * 1024)
    with pytest.raises(ValueError, match="float16 and float64"):
        score(np.asarray(embeddings, np.dtype("f4")), directions)
    with pytest.raises(ValueError, match="against directions"):
        score(embeddings[:, :5], directions)


def test_every_number_up_to_2_is_taken_for_what_it_is() -> None:
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    numbers = numbers[np.abs(numbers) <= 2][:, None]
    assert len(numbers) == 2 * (0x4000 + 1)
    assert score(numbers, np.array([[1.0]])).tobytes() == (
        (numbers.astype(np.float32) + np.float32(0)).tobytes()
    )


def test_many_rows_are_scored_like_few(
    embeddings: NDArray[np.float16], directions: NDArray[np.float64]
) -> None:
    many = np.tile(embeddings, (60, 1))
    many[3000, 7] = np.inf
    scores = score(many, directions)
    expected = np.tile(score(embeddings, directions), (60, 1))
    expected[3000] = np.nan
    assert scores.tobytes() == expected.tobytes()


def test_a_flag_is_raised_at_its_threshold_to_the_last_bit() -> None:
    scores = np.array([[0.1], [np.nextafter(np.float32(0.1), np.float32(1))]], np.float32)
    exact = np.array([float(scores[0, 0])])
    for threshold, expected in (
        (exact, [1, 1]),
        (np.nextafter(exact, 1), [0, 1]),
        (np.nextafter(exact, 0), [1, 1]),
        (np.array([0.1]), [1, 1]),  # float32(0.1) lies above 0.1
        (np.array([np.inf]), [0, 0]),
    ):
        assert flags(scores, threshold)[:, 0].tolist() == expected


def test_directions_are_unit_vectors_on_the_grid() -> None:
    vectors = unit_rows(9, seed=3)
    quantised = quantise_directions(vectors * 37.5)
    assert np.array_equal(quantised / DIRECTION_STEP, np.rint(quantised / DIRECTION_STEP))
    assert np.abs(quantised - vectors).max() <= DIRECTION_STEP / 2 + 1e-12
    assert np.array_equal(quantise_directions(vectors * 4), quantise_directions(vectors))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_direction_that_points_nowhere_is_refused(bad: float) -> None:
    vectors = unit_rows(3, seed=4)
    vectors[1] = bad
    with pytest.raises(ValueError, match="direction 1 is zero or not finite"):
        quantise_directions(vectors)


def test_one_window_is_the_recordings_embedding_unchanged(
    embeddings: NDArray[np.float16],
) -> None:
    assert record_embedding(embeddings[:1]).tobytes() == embeddings[0].tobytes()


def test_several_windows_are_averaged_to_a_unit_vector(embeddings: NDArray[np.float16]) -> None:
    mean = embeddings.astype(np.float64).mean(axis=0)
    combined = record_embedding(embeddings)
    assert combined.dtype == np.float16
    np.testing.assert_allclose(combined, mean / np.linalg.norm(mean), atol=2.0**-11)
    assert record_embedding(embeddings[::-1]).tobytes() == combined.tobytes()


def test_windows_that_cancel_out_leave_no_embedding(embeddings: NDArray[np.float16]) -> None:
    assert np.isnan(record_embedding(np.stack([embeddings[0], -embeddings[0]]))).all()


def test_flags_need_a_score_and_a_threshold() -> None:
    scores = np.array([[0.5, 0.5, 0.5], [0.25, np.nan, 0.6]], np.float32)
    found = flags(scores, np.array([0.5, 0.1, np.nan]))
    assert found.dtype == np.int8
    assert found.tolist() == [[1, 1, -1], [0, -1, -1]]


def test_percentiles_are_mid_ranks() -> None:
    reference = np.array([[0.1], [0.2], [0.2], [0.4]], np.float32)
    scores = np.array([[0.0], [0.1], [0.2], [0.3], [0.4], [0.5], [np.nan]], np.float32)
    found = percentiles(scores, reference)
    assert found[:6, 0].tolist() == [0.0, 12.5, 50.0, 75.0, 87.5, 100.0]
    assert np.isnan(found[6, 0])


def test_without_a_population_there_is_no_percentile() -> None:
    scores = np.zeros((2, 3), np.float32)
    assert np.isnan(percentiles(scores, None)).all()
    assert np.isnan(percentiles(scores, np.zeros((0, 3), np.float32))).all()
    with pytest.raises(ValueError, match="3 scores a recording against 2"):
        percentiles(scores, np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match="without score"):
        percentiles(scores, np.full((4, 3), np.nan, np.float32))
