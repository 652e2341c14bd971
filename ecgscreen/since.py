"""The time that ``--since`` names: a date, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ecgscreen.errors import UsageError

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(rf"(\d{{1,6}})([{''.join(_UNITS)}])")


def parse_since(text: str, now: datetime) -> datetime:
    """Understand a date or a duration.

    Parameters
    ----------
    text
        A date or a time of ISO 8601, on this machine's clock unless it names a zone; or how long
        ago, such as ``36h``, ``2d`` or ``1w``.
    now
        With a time zone.

    Returns
    -------
    With a time zone.

    Raises
    ------
    UsageError
        If it is neither, or no such time is known.
    """
    try:
        if match := _DURATION.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"--since {text!r} is neither a date nor a duration",
            "Write a date (2025-01-31, 2025-01-31T18:00) or how long ago (90m, 36h, 2d, 1w).",
        ) from error
