"""A run store over many runs: the latest row counts, and what does not count goes in time."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from ecgscreen import compaction, next_shard
from ecgscreen.errors import StoreError
from ecgscreen.manifest import number_of
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.row_index import RowIndex
from ecgscreen.run_store import MANIFEST, NEXT_MANIFEST, RUNS_KEPT, RunStore
from ecgscreen.shards import RowColumns
from ecgscreen.stamp import FileStamp, path_key, stamp_digest
from tests.ecgscreen import rows


def scored(path: str, seed: int = 0, n_windows: int = 1) -> RecordResult:
    return rows.scored(
        path,
        n_windows,
        seed=seed,
        detail=f"seed {seed}",
        files=(FileStamp(path, 1, 2), FileStamp("other.dat", 3, 4, listed=False)),
        sha256="ab" * 32,
    )


def night(folder: Path, results: Iterable[RecordResult], remove: Iterable[str] = ()) -> RunStore:
    """A finished run that goes on from the last one."""
    store = RunStore.open(folder) if (folder / MANIFEST).exists() else RunStore.anew(folder)
    store.begin({"bundle_sha256": "ab"}, {"command": "scan"})
    for each in results:
        store.append(each)
    for path in remove:
        store.remove(path)
    store.finish()
    return RunStore.open(folder)


def details(store: RunStore) -> dict[str, str]:
    found = {row.result.path: row.result.detail for row in store.iter_rows()}
    blocks = [each.result for block in store.iter_sorted() for each in block]
    assert {each.path: each.detail for each in blocks} == found
    assert [each.path for each in blocks] == sorted(found)
    assert store.n_records == len(found)
    return found


def test_the_latest_row_of_a_path_counts(tmp_path: Path) -> None:
    night(tmp_path, [scored("b", 1), scored("a", 2), scored("c", 3)])
    store = night(tmp_path, [scored("a", 4), scored("d", 5), scored("a", 6)])
    assert details(store) == {"a": "seed 6", "b": "seed 1", "c": "seed 3", "d": "seed 5"}
    assert {row.result.path: row.run for row in store.iter_rows()} == {
        "a": 2,
        "b": 1,
        "c": 1,
        "d": 2,
    }
    assert [number_of(run) for run in store.runs] == [1, 2]
    assert next(iter(store.iter_results())).files == scored("b").files


def test_a_row_is_found_by_its_path(tmp_path: Path) -> None:
    store = night(tmp_path, [scored("a", 1), not_scored("b", Status.ERROR, "x"), scored("ä/\n")])
    found = store.index.find("ä/\n")
    assert found is not None
    assert (found.number, found.status, found.unlisted) == (2, Status.SCORED, ("other.dat",))
    assert found.stamp == stamp_digest(scored("ä/\n").files)
    other = store.index.find("b")
    assert other is not None
    assert (other.status, other.unlisted) == (Status.ERROR, ())
    assert store.index.find("c") is None


def columns(keys: list[bytes]) -> RowColumns:
    n = len(keys)
    return RowColumns(
        key=np.frombuffer(b"".join(keys), np.uint8).reshape(n, 16),
        stamp=np.zeros((n, 16), np.uint8),
        state=np.zeros(n, np.uint8),
        run=np.ones(n, np.int32),
        unlisted_rows=np.empty(0, np.int64),
        unlisted=np.empty(0, np.dtypes.StringDType()),
    )


def test_keys_that_begin_alike_are_told_apart() -> None:
    wanted = path_key("wanted")
    others = [wanted[:8] + bytes([i]) * 8 for i in (0, 255)]
    index = RowIndex([columns([others[0], wanted]), columns([others[1]])])
    found = index.find("wanted")
    assert found is not None
    assert found.number == 1
    assert RowIndex([columns(others)]).find("wanted") is None
    assert RowIndex([]).find("wanted") is None


def test_the_index_of_many_rows_is_small() -> None:
    n = 100_000
    digest = hashlib.shake_128(b"keys").digest(16 * n)
    keys = [digest[i : i + 16] for i in range(0, len(digest), 16)]
    shards = [columns(keys[i : i + 1000]) for i in range(0, n, 1000)]
    tracemalloc.start()
    index = RowIndex(shards)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(index) == n
    assert peak / n < 200, "bytes a row while it is made: 2,000,000 rows in 400 MB"


def n_shards(folder: Path) -> int:
    return len(list(folder.glob("shard-*.npz")))


def test_room_of_rows_that_do_not_count_is_taken_back(tmp_path: Path) -> None:
    night(tmp_path, (scored(f"{i}", i) for i in range(100)))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    store = night(tmp_path, [scored("5", 500)])
    assert store.index.n_rows == 101, "one row is not worth it"
    store = night(tmp_path, (scored(f"{i}", 1000 + i) for i in range(50)))
    assert store.index.n_rows == store.n_records == 100
    assert details(store)["5"] == "seed 1005"
    assert details(store)["77"] == "seed 77"
    assert {row.run for row in store.iter_rows()} == {1, 3}
    store = night(tmp_path, (scored(f"{i}", 2000 + i) for i in range(100)))
    assert n_shards(tmp_path) == 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1.1 * size


def test_small_shards_are_joined_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MOST_SMALL_SHARDS", 5)
    for i in range(17):
        store = night(tmp_path, [scored(f"{i:02d}", i), scored(f"x{i:02d}", i)])
        assert n_shards(tmp_path) <= 6
    assert details(store) == {
        name: f"seed {i}" for i in range(17) for name in (f"{i:02d}", f"x{i:02d}")
    }
    assert sorted(row.run for row in store.iter_rows()) == sorted([*range(1, 18)] * 2)


def test_a_full_shard_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MOST_SMALL_SHARDS", 3)
    monkeypatch.setattr(compaction, "SMALL_BYTES", 20_000)
    night(tmp_path, [scored("long", 1, n_windows=1_000)])
    (first,) = tmp_path.glob("shard-*.npz")
    inode = first.stat().st_ino
    for i in range(9):
        night(tmp_path, [scored(f"{i}", i)])
    assert first.stat().st_ino == inode


def test_nothing_is_left_of_a_path_that_was_removed(tmp_path: Path) -> None:
    night(tmp_path, [scored(name, 1) for name in ("kept", "Doe^Jane", "other")])
    night(tmp_path, [scored("Doe^Jane", 2), scored("more", 3)])
    store = night(tmp_path, [], remove=["Doe^Jane", "never there"])
    assert details(store).keys() == {"kept", "more", "other"}
    assert store.index.find("Doe^Jane") is None
    assert store.index.n_rows == 3
    for path in tmp_path.iterdir():
        assert b"Doe" not in path.read_bytes()
        assert b"never" not in path.read_bytes()
    again = night(tmp_path, [scored("Doe^Jane", 4)])
    assert details(again)["Doe^Jane"] == "seed 4"


def test_a_removed_path_that_came_back_in_the_same_run_counts(tmp_path: Path) -> None:
    night(tmp_path, [scored("a", 1), scored("b", 1)])
    store = RunStore.open(tmp_path)
    store.begin({})
    store.remove("a")
    store.append(scored("a", 2))
    store.finish()
    assert details(RunStore.open(tmp_path)) == {"a": "seed 2", "b": "seed 1"}


def test_an_interrupted_run_is_opened_beside_the_finished_one(tmp_path: Path) -> None:
    night(tmp_path, [scored("a", 1)])
    assert RunStore.open_unfinished(tmp_path) is None
    killed = RunStore.open(tmp_path)
    killed.begin({"bundle_sha256": "cd"}, {"command": "scan"}, {"scoring": b"content"})
    killed.append(scored("a", 2))
    killed.append(scored("b", 3))
    killed.flush()
    killed.append(scored("lost", 4))
    del killed
    assert details(RunStore.open(tmp_path)) == {"a": "seed 1"}
    store = RunStore.open_unfinished(tmp_path)
    assert store is not None
    assert details(store) == {"a": "seed 2", "b": "seed 3"}
    assert store.provenance == {"bundle_sha256": "cd"}
    assert store.attachment("scoring") == b"content"
    store.begin(store.provenance, {"command": "scan"})
    store.append(scored("c", 5))
    store.finish()
    store = RunStore.open(tmp_path)
    assert details(store) == {"a": "seed 2", "b": "seed 3", "c": "seed 5"}
    assert store.attachment("scoring") == b"content"
    assert [number_of(run) for run in store.runs] == [1, 2, 3]
    assert not (tmp_path / NEXT_MANIFEST).exists()


def test_an_attachment_that_is_missing_or_altered_is_told(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path, {})
    with pytest.raises(StoreError, match="holds no scoring"):
        store.attachment("scoring")
    store.begin({}, {}, {"scoring": b"content"})
    (path,) = tmp_path.glob("scoring-*.npz")
    path.write_bytes(b"altered")
    with pytest.raises(StoreError, match="has SHA-256"):
        store.attachment("scoring")


def test_the_manifest_does_not_remember_every_night(tmp_path: Path) -> None:
    night(tmp_path, [scored("a", 1)])
    for i in range(RUNS_KEPT + 5):
        store = night(tmp_path, [scored("b", i)])
    numbers = [number_of(run) for run in store.runs]
    assert numbers == [1, *range(7, RUNS_KEPT + 7)]


def test_whatever_order_of_writing_and_removing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a dictionary, over nights of random length, some of them interrupted."""
    monkeypatch.setattr(next_shard, "SHARD_RECORDS", 4)
    monkeypatch.setattr(compaction, "MOST_SMALL_SHARDS", 6)
    chance = random.Random(7)
    expected: dict[str, str] = {}
    store = RunStore.anew(tmp_path)
    for step in range(60):
        store.begin({})
        for _ in range(chance.randrange(12)):
            path = f"{chance.randrange(20):02d}"
            if chance.random() < 0.2:
                store.remove(path)
                expected.pop(path, None)
            else:
                store.append(scored(path, step))
                expected[path] = f"seed {step}"
        store.flush()
        if chance.random() < 0.3:
            unfinished = RunStore.open_unfinished(tmp_path)
            assert unfinished is not None
            store = unfinished
        else:
            store.finish()
            store = RunStore.open(tmp_path)
        assert details(store) == expected
