"""Reading what cannot be read: a reason, and a sentence that can be printed."""

from __future__ import annotations

from pathlib import Path

from ecgscreen.readers import read_recording
from ecgscreen.recording import SkippedRecording


def skipped(path: Path) -> SkippedRecording:
    result = read_recording(path)
    assert isinstance(result, SkippedRecording), result
    assert result.detail.isprintable()
    assert result.detail
    return result
