"""Parsers of others, in a process of their own: a file costs one row, whatever it does."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from ecgscreen.discover import Discovery
from ecgscreen.readers import limited, read_recording
from ecgscreen.recording import Recording, SkipReason
from tests.ecgscreen.formats import dicom, edf
from tests.ecgscreen.formats.skipped import skipped


def test_names_that_promise_a_recording_get_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"\0" * 500)
    (tmp_path / "b.edf").write_bytes(b"")
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    os.mkfifo(tmp_path / "d.dcm")
    (tmp_path / "e.dcm").symlink_to("/etc/passwd")
    discovery = Discovery([tmp_path])
    found = [one.path for one in discovery]
    assert [path.name for path in found] == ["a.dcm", "b.edf", "d.dcm", "e.dcm"]
    assert discovery.ignored == 2
    reasons = [skipped(path).reason for path in found]
    assert reasons == [
        SkipReason.UNSUPPORTED,
        SkipReason.UNSUPPORTED,
        SkipReason.NOT_A_FILE,
        SkipReason.OUTSIDE_FOLDER,
    ]


def test_without_the_package_a_file_says_what_to_install(
    tmp_path: Path, simulated: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dicom.write_dicom(simulated, tmp_path)
    monkeypatch.setattr(
        limited, "find_spec", lambda name: None if name == "pydicom" else find_spec(name)
    )
    result = skipped(path)
    assert result.reason is SkipReason.MISSING_PACKAGE
    assert result.detail == "DICOM is read with pydicom: install ecgscreen[clinical]"
    assert [one.path for one in Discovery([tmp_path])] == [path]


def test_a_parser_that_hangs_or_dies_costs_one_row(
    tmp_path: Path, simulated: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dicom.write_dicom(simulated, tmp_path)
    assert isinstance(read_recording(path), Recording)
    child = limited._child
    assert child is not None
    os.kill(child.process_id, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(limited, "TIME_LIMIT_S", 0.5)
        assert skipped(path).reason is SkipReason.TOOK_TOO_LONG
    with pytest.raises(ProcessLookupError):
        os.kill(child.process_id, 0)
    assert isinstance(read_recording(path), Recording)
    assert limited._child is not None
    os.kill(limited._child.process_id, signal.SIGKILL)
    result = skipped(path)
    assert (result.reason, result.detail) == (
        SkipReason.BAD_CONTENT,
        "its parser ended with code -9",
    )
    assert isinstance(read_recording(path), Recording)


def test_a_file_larger_than_any_recording_is_not_given_to_a_parser(
    tmp_path: Path, simulated: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = edf.write_edf(simulated, tmp_path)
    monkeypatch.setattr(limited, "MAX_FILE_BYTES", 1000)
    assert skipped(path).reason is SkipReason.TOO_LARGE
