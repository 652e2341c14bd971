"""One recording as the trainer and the measurements see it: by the steps of a scan."""

from __future__ import annotations

from pathlib import Path

from ecgscreen.assessment import assess
from ecgscreen.preprocess import Prepared, PreprocessConfig, preprocess
from ecgscreen.readers import read_recording
from ecgscreen.recording import RecordingError, SkippedRecording, signal_fingerprint


def named(skipped: SkippedRecording) -> str:
    """What is said of a recording that cannot be used."""
    return ": ".join(filter(None, (str(skipped.path), str(skipped.reason), skipped.detail)))


def prepare_known(
    path: Path, root: Path, config: PreprocessConfig
) -> tuple[Prepared, str] | SkippedRecording:
    """Read, assess and prepare one recording by the steps of a scan.

    Parameters
    ----------
    path, root
        See `read_recording`.
    config
        From the bundle.

    Returns
    -------
    What is embedded, and the `signal_fingerprint`, by which what was learned on is known again;
    or why there is nothing.
    """
    recording = read_recording(path, root)
    if isinstance(recording, SkippedRecording):
        return recording
    fingerprint = signal_fingerprint(recording)
    recording, quality = assess(recording)
    if quality.reason is not None:
        return SkippedRecording(path, quality.reason, quality.detail)
    try:
        return preprocess(recording, quality.usable, config), fingerprint
    except RecordingError as error:
        return SkippedRecording(path, error.reason, error.detail)
