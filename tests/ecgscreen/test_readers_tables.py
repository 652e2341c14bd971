"""Tables and side-cars that lie: numbers are read, and nothing is evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecgscreen.discover import Discovery
from ecgscreen.recording import SkipReason
from tests.ecgscreen.formats.skipped import skipped


@pytest.mark.parametrize(
    ("side_car", "reason"),
    [
        (None, SkipReason.NO_HEADER),
        ("", SkipReason.BAD_HEADER),
        ("[" * 60_000, SkipReason.BAD_HEADER),
        ("[]", SkipReason.BAD_HEADER),
        ("{}", SkipReason.BAD_HEADER),
        (" " * 70_000, SkipReason.TOO_LARGE),
        ('{"sampling_rate": "500"}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": NaN, "leads": ["I", "II"]}', SkipReason.BAD_SAMPLING_RATE),
        ('{"sampling_rate": 1e999, "leads": ["I", "II"]}', SkipReason.BAD_SAMPLING_RATE),
        ('{"sampling_rate": 500, "leads": []}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": 500, "leads": ["I"]}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": 500, "leads": ["I", 2]}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": 500, "leads": ["I", "II"], "unit": 1}', SkipReason.BAD_HEADER),
        ('{"sampling_rate": 500, "leads": ["I", "II"], "unit": "ADC"}', SkipReason.BAD_HEADER),
        (
            '{"sampling_rate": 500, "leads": ["I", "II"], "unit": "ADC", "gain": 0}',
            SkipReason.BAD_GAIN,
        ),
        (
            '{"sampling_rate": 500, "leads": ["I", "II"], "unit": "ADC", "gain": [1, 2, 3]}',
            SkipReason.BAD_HEADER,
        ),
        ('{"sampling_rate": 500, "leads": ["EEG", "EMG"]}', SkipReason.NO_KNOWN_LEAD),
        ('{"sampling_rate": 500, "leads": ["I", "II"]}', SkipReason.BAD_AMPLITUDE),
    ],
)
def test_side_cars_that_lie(tmp_path: Path, side_car: str | None, reason: SkipReason) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(0).normal(size=(2, 3000)) * 1e7)
    if side_car is not None:
        (tmp_path / "a.json").write_text(side_car)
    assert skipped(path).reason is reason


def npy(descr: str, shape: str) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy("'<i2'", "(2, 1000000000)"), SkipReason.TOO_LARGE),
        (npy("'<i2'", "(2, 5000)"), SkipReason.TRUNCATED),
        (npy("'<i2'", "(2, -5000)"), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(2, 0)"), SkipReason.NO_SIGNALS),
        (npy("'<f1'", "(2, 5000)"), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(2, 2)"), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(2, 2, 500)"), SkipReason.BAD_HEADER),
        (npy("'|O'", "(2, 5000)") + b"cos\nsystem\n", SkipReason.BAD_HEADER),
        (npy("'<U9'", "(2, 5000)"), SkipReason.BAD_HEADER),
        (npy("[('a', '<i2')]", "(2, 5000)"), SkipReason.BAD_HEADER),
        (npy("__import__('os')", "(2, 5000)"), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(" * 3000), SkipReason.BAD_HEADER),
        (npy("'<i2'", "(" + "1" * 9000), SkipReason.BAD_HEADER),
        (b"\x93NUMPY\7\0" + bytes(100), SkipReason.BAD_HEADER),
        (b"", SkipReason.BAD_HEADER),
    ],
)
def test_arrays_that_lie(tmp_path: Path, content: bytes, reason: SkipReason) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    (tmp_path / "a.json").write_text('{"sampling_rate": 500, "leads": ["I", "II"]}')
    assert skipped(tmp_path / "a.npy").reason is reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", SkipReason.NO_SIGNALS),
        ("I,II\n", SkipReason.NO_SIGNALS),
        ("I,II\n1,2\n3\n", SkipReason.BAD_CONTENT),
        ("I,II\n1,2\nZyx,Quorn\n", SkipReason.BAD_CONTENT),
        ("I,II\n1,2\n3,=cmd()\n", SkipReason.BAD_CONTENT),
        ("1\n" * 10, SkipReason.BAD_HEADER),
        ("," * 600 + "\n", SkipReason.TOO_LARGE),
    ],
)
def test_tables_that_lie(tmp_path: Path, content: str, reason: SkipReason) -> None:
    (tmp_path / "a.csv").write_text(content)
    (tmp_path / "a.json").write_text('{"sampling_rate": 500, "leads": ["I", "II"]}')
    result = skipped(tmp_path / "a.csv")
    assert result.reason is reason
    assert "Quorn" not in result.detail


def test_tables_without_a_side_car_are_no_recordings(tmp_path: Path) -> None:
    for name in ("a.csv", "a.json", "b.csv", "c.npy", "d.json"):
        (tmp_path / name).write_text("{}")
    discovery = Discovery([tmp_path])
    assert [one.name for one in discovery] == ["a.csv"]
    assert discovery.ignored == 3
