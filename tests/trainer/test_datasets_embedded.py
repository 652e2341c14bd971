"""A labelled set is embedded as a scan embeds, whatever the number of windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgscreen.bundle import load_bundle
from ecgscreen.errors import UsageError
from ecgscreen.preprocess import PreprocessConfig
from ecgscreen.recording import SkippedRecording, SkipReason
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.simulate import write_dataset
from engines.base import EngineInfo
from engines.select import load_engine
from trainer.datasets import Case, LabelledFile, LabelledSet, embed_set
from trainer.datasets.case import cases_of_files

D = 4
INFO = EngineInfo("test", "0", "processor", "f32", 512)


@dataclass
class CountingEngine:
    """Embeds a window by its first samples, which makes rows easy to tell; counts its calls."""

    n_calls: int = 0
    info: EngineInfo = INFO

    def embed(
        self, windows: NDArray[np.float32], lead_mask: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        assert len(windows) == len(lead_mask)
        self.n_calls += 1
        return windows[:, 0, :D].copy()


def case(name: str, vectors: list[list[float]], *carried: str, patient: str = "p") -> Case:
    windows = np.zeros((len(vectors), 12, 1000), dtype=np.float32)
    windows[:, 0, :D] = vectors
    return Case(Path(name), windows, np.ones(12, dtype=np.bool_), patient, frozenset(carried))


def labelled_set(*cases: Case | SkippedRecording) -> LabelledSet:
    def stream(_config: PreprocessConfig) -> Iterator[Case | SkippedRecording]:
        yield from cases

    return LabelledSet("test", ("AFIB", "PVC"), stream)


def test_cases_skips_and_labels_keep_their_order() -> None:
    lost = SkippedRecording(Path("lost.hea"), SkipReason.TOO_SHORT, "2 s")
    embedded = embed_set(
        CountingEngine(),
        labelled_set(
            case("a", [[1, 0, 0, 0]], "PVC", "any:other"),
            lost,
            case("b", [[0, 1, 0, 0]], "PVC", "AFIB", patient="q"),
            case("c", [[np.nan, 1, 0, 0]], "AFIB"),
            case("d", [[0, 0, 0, 1]]),
        ),
        PreprocessConfig(),
    )
    assert embedded.concept_ids == ("AFIB", "PVC")
    assert embedded.carried.tolist() == [[False, True], [True, True], [False, False]]
    assert embedded.patients.tolist() == ["p", "q", "p"]
    assert embedded.embeddings.dtype == np.float16
    assert embedded.embeddings.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert [skipped.path.name for skipped in embedded.skipped] == ["lost.hea", "c"]
    assert embedded.skipped[1].reason is SkipReason.NO_EMBEDDING


def test_several_windows_are_one_direction() -> None:
    embedded = embed_set(
        CountingEngine(),
        labelled_set(case("a", [[1, 0, 0, 0], [0, 1, 0, 0]]), case("b", [[0, 0, 1, 0]])),
        PreprocessConfig(),
    )
    np.testing.assert_allclose(
        embedded.embeddings, [[0.5**0.5, 0.5**0.5, 0, 0], [0, 0, 1, 0]], atol=1e-3
    )


def test_windows_go_to_the_engine_many_at_once_but_not_all() -> None:
    engine = CountingEngine()
    one = [[1.0, 0, 0, 0]]
    embedded = embed_set(
        engine, labelled_set(*(case(f"{n}", one) for n in range(1100))), PreprocessConfig()
    )
    assert len(embedded.embeddings) == 1100
    assert engine.n_calls == 3


def test_a_set_without_any_case_is_refused() -> None:
    lost = SkippedRecording(Path("lost.hea"), SkipReason.TOO_SHORT, "2 s")
    with pytest.raises(UsageError, match=r"1 skipped, the first: lost.hea: too short: 2 s"):
        embed_set(CountingEngine(), labelled_set(lost), PreprocessConfig())


def test_embeddings_are_those_of_a_scan(bundle_dir: Path, tmp_path: Path) -> None:
    import h5py

    records = tmp_path / "records"
    write_dataset(records, 2, seed=1, sampling_rate=250.0, duration_s=25.0, faults=1)
    bundle = load_bundle(bundle_dir)
    scan(
        ScanOptions(
            roots=(records,),
            labels="rhythm.txt",
            out=tmp_path / "out",
            bundle=bundle_dir,
            engine="openvino",
            precision="f32",
        )
    )
    headers = sorted(records.rglob("*.hea"))
    files = [LabelledFile(path, records, path.stem, frozenset()) for path in headers]
    labelled = LabelledSet("test", ("AFIB",), lambda config: cases_of_files(files, config))
    engine = load_engine("openvino", bundle.encoder_onnx, precision="f32")
    embedded = embed_set(engine, labelled, bundle.preprocessing)
    with h5py.File(tmp_path / "out" / "report.h5") as report:
        scanned = report["embeddings"][:]
    good = np.isfinite(scanned).all(axis=1)
    assert good.sum() == len(embedded.embeddings) == 1
    assert len(embedded.skipped) == 1
    np.testing.assert_array_equal(embedded.embeddings, scanned[good])


def test_a_set_is_read_anew_each_time() -> None:
    labelled = labelled_set(case("a", [[1, 0, 0, 0]]))
    first = embed_set(CountingEngine(), labelled, PreprocessConfig())
    again = embed_set(CountingEngine(), replace(labelled, name="again"), PreprocessConfig())
    assert first.embeddings.tolist() == again.embeddings.tolist()
