from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import random
import resource
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgscreen import next_shard, stored_rows
from ecgscreen.errors import StoreError
from ecgscreen.manifest import read_manifest
from ecgscreen.publish import JsonValue
from ecgscreen.results import RecordResult, Status, not_scored
from ecgscreen.run_store import MANIFEST, NEXT_MANIFEST, RunStore
from tests.ecgscreen.rows import scored

D = 16
PROVENANCE: dict[str, JsonValue] = {"bundle_sha256": "ab12", "preprocessing": {"band": [0.5, 40.0]}}


def assert_same(found: Iterable[RecordResult], expected: Iterable[RecordResult]) -> None:
    for a, b in zip(found, expected, strict=True):
        for field in dataclasses.fields(RecordResult):
            left, right = getattr(a, field.name), getattr(b, field.name)
            if isinstance(left, np.ndarray) and right.size:
                assert left.dtype == right.dtype
            np.testing.assert_array_equal(
                np.ravel(left), np.ravel(right), err_msg=f"{b.path!r}: {field.name}"
            )


def finished(folder: Path, results: Iterable[RecordResult]) -> RunStore:
    store = RunStore.create(folder, PROVENANCE)
    for each in results:
        store.append(each)
    store.finish()
    return store


AWKWARD = [
    scored("z/last.hea"),
    not_scored(os.fsdecode(b"a/\xff\xfe.hea"), Status.ERROR, "signal file missing", "x.dat"),
    scored('b/"quoted", with\nnewline\r.hea', n_windows=3, seed=1),
    not_scored("=1+1.hea", Status.UNUSABLE, "too short", "2.0 s, at least 5 s"),
    scored("ä/日本\u2028.hea", seed=2),
    not_scored("gone.hea", Status.VANISHED, "vanished during the run"),
]


def test_results_come_back_as_they_went_in(tmp_path: Path) -> None:
    store = finished(tmp_path / "store", AWKWARD)
    assert_same(store.iter_results(), AWKWARD)
    again = RunStore.open(tmp_path / "store")
    assert_same(again.iter_results(), AWKWARD)
    assert again.n_records == len(AWKWARD)
    assert again.provenance == PROVENANCE


def test_a_run_without_recordings_is_a_store(tmp_path: Path) -> None:
    finished(tmp_path / "store", [])
    store = RunStore.open(tmp_path / "store")
    assert store.n_records == 0
    assert list(store.iter_results()) == []
    assert list(store.iter_sorted()) == []


def test_sorted_by_path_whatever_the_order_of_arrival(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(next_shard, "SHARD_RECORDS", 7)
    monkeypatch.setattr(stored_rows, "BLOCK_RECORDS", 5)
    results = [*AWKWARD, *(scored(f"r/{i:03d}.hea", seed=i) for i in range(50))]
    results += [scored("a\\xff"), scored(os.fsdecode(b"a\xff"), seed=3)]  # reports show them alike
    random.Random(1).shuffle(results)
    blocks = list(finished(tmp_path / "1", results).iter_sorted())
    random.Random(2).shuffle(results)
    other = list(finished(tmp_path / "2", results).iter_sorted())

    assert max(len(block) for block in blocks) == 5
    found = [each.result for block in blocks for each in block]
    assert_same(found, [each.result for block in other for each in block])
    shown = [each.path.encode("utf-8", "surrogateescape") for each in found]
    plain = [path for path in shown if b"\xff" not in path]
    assert plain == sorted(plain)
    assert len(set(shown)) == len(results)


def test_a_block_is_bounded_by_windows_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_rows, "BLOCK_WINDOWS", 10)
    lengths = [4, 4, 4, 25, 1, 9]
    store = finished(tmp_path, (scored(f"{i}.hea", n) for i, n in enumerate(lengths)))
    blocks = [[each.result.n_windows for each in block] for block in store.iter_sorted()]
    assert blocks == [[4, 4], [4], [25], [1, 9]]


def shard_sizes(folder: Path, manifest: str) -> list[int]:
    return [entry.n_records for entry in read_manifest(folder / manifest).shards]


def test_a_shard_ends_by_records_windows_or_seconds(tmp_path: Path) -> None:
    now = 0.0
    store = RunStore.create(tmp_path, {}, clock=lambda: now)
    for i in range(2_100):
        store.append(not_scored(f"{i}", Status.ERROR, "truncated"))
    assert shard_sizes(tmp_path, NEXT_MANIFEST) == [1_000, 1_000]
    now = 61.0
    store.append(not_scored("late", Status.ERROR, "truncated"))
    assert shard_sizes(tmp_path, NEXT_MANIFEST) == [1_000, 1_000, 101]
    store.append(scored("long", n_windows=16_384))
    assert shard_sizes(tmp_path, NEXT_MANIFEST) == [1_000, 1_000, 101, 1]
    store.append(scored("short"))
    store.finish()
    assert shard_sizes(tmp_path, MANIFEST) == [1_000, 1_000, 101, 1, 1]


def test_only_what_the_manifest_names_counts(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path, {})
    store.append(scored("a"))
    store.flush()
    store.append(scored("b"))
    (tmp_path / "shard-000009-0123456789ab.npz").write_bytes(b"of a run that was killed")
    assert [each.path for each in store.iter_results()] == ["a"]
    store.finish()
    assert [each.path for each in store.iter_results()] == ["a", "b"]
    assert not (tmp_path / "shard-000009-0123456789ab.npz").exists()


def test_the_last_run_stays_whole_until_the_next_is_finished(tmp_path: Path) -> None:
    finished(tmp_path, [scored("old")])
    killed = RunStore.create(tmp_path, PROVENANCE)
    killed.append(scored("killed"))
    killed.flush()
    del killed  # as a kill would: nothing more is written
    assert_same(RunStore.open(tmp_path).iter_results(), [scored("old")])

    finished(tmp_path, [scored("new"), scored("old")])
    assert_same(RunStore.open(tmp_path).iter_results(), [scored("new"), scored("old")])
    assert len(list(tmp_path.iterdir())) == 2, "shards of the earlier runs are gone"


def test_a_finished_run_takes_no_more(tmp_path: Path) -> None:
    finished(tmp_path, [scored("a")])
    with pytest.raises(StoreError, match="the run is finished"):
        RunStore.open(tmp_path).append(scored("b"))


def test_embeddings_of_two_encoders_do_not_mix(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path, {})
    store.append(scored("a"))
    wider = dataclasses.replace(scored("b"), embeddings=np.ones((1, D + 1), np.float16))
    with pytest.raises(StoreError, match="size 17 among those of size 16"):
        store.append(wider)


def test_only_the_owner_reads_the_store(tmp_path: Path) -> None:
    finished(tmp_path / "store", [scored("a")])
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "store").iterdir()} == {0o600}


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (flip, "has SHA-256"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "the manifest says"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "the manifest says"),
        (lambda path: os.truncate(path, 1 << 40), "has more bytes, the manifest says"),
        (Path.unlink, "cannot be read: No such file"),
        (become_a_pipe, "cannot be read: not a regular file"),
    ],
)
def test_a_damaged_shard_is_refused_by_name(tmp_path: Path, damage: object, words: str) -> None:
    store = finished(tmp_path, AWKWARD)
    (shard,) = tmp_path.glob("shard-*.npz")
    assert callable(damage)
    damage(shard)
    for read in (store.iter_results, store.iter_sorted):
        with pytest.raises(StoreError, match=words) as caught:
            list(read())
        assert str(shard) in caught.value.message
        assert caught.value.advice


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: os.truncate(path, 1 << 40), "more than 268,435,456 bytes"),
        (become_a_pipe, "cannot be read: not a regular file"),
    ],
)
def test_a_manifest_that_is_none_is_not_waited_for(
    tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    finished(tmp_path, AWKWARD)
    damage(tmp_path / MANIFEST)
    with pytest.raises(StoreError, match=words) as caught:
        RunStore.open(tmp_path)
    assert str(tmp_path / MANIFEST) in caught.value.message


def replace_shard(folder: Path, content: bytes) -> Path:
    """Put `content` in the only shard's place, with the hash that goes with it."""
    (shard,) = folder.glob("shard-*.npz")
    shard.write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["shards"][0] |= {
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return shard


def pickled(shard: bytes) -> bytes:
    with np.load(io.BytesIO(shard)) as arrays:
        columns = dict(arrays)
    columns["duration_s"] = np.array([{"not": "a number"}], object)
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    return buffer.getvalue()


@pytest.mark.parametrize("make", [pickled, lambda _shard: b"PK\3\4 nothing", lambda _shard: b""])
def test_a_shard_that_only_pickle_could_read_is_refused(tmp_path: Path, make: object) -> None:
    finished(tmp_path, [scored("a")])
    (shard,) = tmp_path.glob("shard-*.npz")
    assert callable(make)
    replace_shard(tmp_path, make(shard.read_bytes()))
    with pytest.raises(StoreError, match="is no shard of a run store") as caught:
        list(RunStore.open(tmp_path).iter_results())
    assert shard.name in caught.value.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 99}, "version 99; 'ecgscreen run store' version 2 is expected"),
        ({"format": "other"}, "'other' version 2"),
        ({"shards": [{"name": "x"}]}, "is no manifest"),
        (
            {"shards": [{"name": "../x", "sha256": "", "size": 0, "n_records": 0}]},
            "outside its folder",
        ),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    finished(tmp_path, [scored("a")])
    path = tmp_path / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(StoreError, match=words) as caught:
        RunStore.open(tmp_path)
    assert str(path) in caught.value.message


def test_no_manifest_or_half_of_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"manifest\.json: cannot be read"):
        RunStore.open(tmp_path)
    (tmp_path / MANIFEST).write_text('{"format": "ecg')
    with pytest.raises(StoreError, match="is no manifest"):
        RunStore.open(tmp_path)


@contextmanager
def files_no_larger_than(n_bytes: int) -> Iterator[None]:
    """Let every write fail that makes a file longer: the kernel's own refusal, no mock."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_loses_nothing(tmp_path: Path) -> None:
    store = RunStore.create(tmp_path, {})
    store.append(scored("a"))
    store.flush()
    store.append(scored("b", n_windows=500))
    with (
        files_no_larger_than(4_096),
        pytest.raises(StoreError, match="cannot be written: File too large"),
    ):
        store.flush()
    assert [each.path for each in store.iter_results()] == ["a"]
    store.finish()
    assert [each.path for each in RunStore.open(tmp_path).iter_results()] == ["a", "b"]
    assert not list(tmp_path.glob(".*.part"))


def with_array(shard: bytes, key: str, change: Callable[[Any], Any]) -> bytes:
    with np.load(io.BytesIO(shard)) as arrays:
        columns = dict(arrays)
    columns[key] = change(columns[key])
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    return buffer.getvalue()


def replaced(old: bytes, new: bytes) -> Callable[[Any], Any]:
    return lambda text: np.frombuffer(text.tobytes().replace(old, new, 1), np.uint8)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("text", replaced(b"[", b"(")),
        ("text", replaced(b'"a"', b"17")),
        ("text", replaced(b'"scored"', b'"scoured"')),
        ("text", replaced(b'["I", "II", "V1"]', b"null")),
        ("text", replaced(b'["I", "II", "V1"]', b'[["I"]]')),
        ("text", replaced(b'"a"', b"[" * 100_000)),
        ("n_windows", lambda counts: counts + 1),
        ("n_windows", lambda counts: -counts),
        ("n_windows", lambda counts: counts * 0 + 2**62),
        ("n_windows", lambda counts: counts.astype(str)),
        ("embeddings", lambda rows: rows[0]),
        ("embeddings", lambda rows: rows.astype(np.float32)),
        ("window_starts_s", lambda starts: starts[:, None]),
        ("duration_s", lambda durations: durations[:-1]),
    ],
)
def test_a_shard_that_was_altered_and_hashed_is_refused(
    tmp_path: Path, key: str, change: Callable[[Any], Any]
) -> None:
    finished(tmp_path, [scored("a"), scored("b", seed=1)])
    (shard,) = tmp_path.glob("shard-*.npz")
    replace_shard(tmp_path, with_array(shard.read_bytes(), key, change))
    with pytest.raises(StoreError, match="is no shard of a run store") as caught:
        list(RunStore.open(tmp_path).iter_results())
    assert shard.name in caught.value.message
    with pytest.raises(StoreError, match="is no shard of a run store"):
        # Sorting needs no more than the names, which some of these leave as they are.
        [list(block) for block in RunStore.open(tmp_path).iter_sorted()]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": 5},
        {"name": "a\0b"},
        {"name": "\ud800"},
        {"size": "12"},
        {"sha256": 5},
        {"n_records": None},
    ],
)
def test_an_entry_of_the_manifest_that_is_none_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    finished(tmp_path, [scored("a")])
    document = json.loads((tmp_path / MANIFEST).read_text())
    document["shards"][0] |= change
    (tmp_path / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(StoreError, match="is no manifest of a run store"):
        RunStore.open(tmp_path)
