"""A store that does not answer any more ends a scan, before every recording has waited for it."""

from __future__ import annotations

from ecgscreen.errors import ObjectStoreLostError
from ecgscreen.objects.address import is_address
from ecgscreen.recording import SkipReason
from ecgscreen.results import RecordResult

MOST_FAILURES = 100
"""One after another."""


class Outage:
    """Counts, of the recordings in object storage, those that could not be fetched."""

    def __init__(self) -> None:
        self._n_failures = 0

    def look_at(self, row: RecordResult) -> None:
        """Take a row as it is made.

        Raises
        ------
        ObjectStoreLostError
            If it is the last of `MOST_FAILURES`.
        """
        if not is_address(row.path):
            return
        if row.reason != SkipReason.READ_ERROR:
            self._n_failures = 0
            return
        self._n_failures += 1
        if self._n_failures == MOST_FAILURES:
            raise ObjectStoreLostError(
                f"{MOST_FAILURES} recordings, one after another, could not be fetched: "
                f"{row.detail}",
                "See that the store answers, then the same command: it goes on from what is "
                "stored.",
            )
