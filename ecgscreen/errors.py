"""The one exception tree and the exit codes, which are fixed for good."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees. Scripts depend on these numbers: never renumber them."""

    OK = 0
    """Every recording of this run was scored (an empty folder too)."""
    FAILED = 1
    USAGE = 2
    SOME_NOT_SCORED = 3
    """Done, but some recordings could not be scored; the report names them."""
    NOTHING_TO_DO = 4
    """Only with ``--fail-if-empty``."""
    CHECK_FAILED = 5
    LOCKED = 11
    """Another run holds the folder."""
    INTERRUPTED = 130
    TERMINATED = 143


class EcgscreenError(Exception):
    """Whatever ends a command with a sentence instead of a traceback.

    Parameters
    ----------
    message
        What was found and what was expected, naming the file.
    advice
        What to do about it: sentences, or a command that can be copied; printed on a line of its
        own.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class UsageError(EcgscreenError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class LabelListError(UsageError):
    """A list of diagnoses has a line that cannot be understood."""


class CalibrationError(UsageError):
    """A calibration cannot be understood, or is about other scores or recordings than asked."""


class MissingExtraError(UsageError):
    """A package of an extra is needed and not installed."""


class NotComparableError(UsageError):
    """Two screenings were made with another bundle, list or calibration, or other names."""


class ReportError(EcgscreenError):
    """A screening's report is missing, or is none."""


class BundleError(EcgscreenError):
    """A model bundle is incomplete, altered, or of another format version."""


class NotPublishedError(EcgscreenError):
    """A retrained bundle is worse than the one before it, or nobody can say."""

    exit_code = ExitCode.CHECK_FAILED


class DivergedError(EcgscreenError):
    """The loss of a training is no number any more."""


class EngineError(EcgscreenError):
    """An engine is not installed, or cannot load or run the encoder."""


class WorkerError(EcgscreenError):
    """A process that reads recordings is gone, or cannot be started."""


class ClusterError(EcgscreenError):
    """A cluster does not answer, is lost, or its workers are not fit for the scan."""


class ObjectStoreLostError(EcgscreenError):
    """A store of objects answers no more, in the middle of a scan."""


class StoreError(EcgscreenError):
    """The screening folder cannot be written or holds something else."""


class LockedError(EcgscreenError):
    """Another run holds the screening folder."""

    exit_code = ExitCode.LOCKED


class NotScoredError(EcgscreenError):
    """A recording could not be scored, and the run was to be strict."""
