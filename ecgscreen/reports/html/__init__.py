"""``report.html``: one file, for the person who reads the recordings in the morning."""

from __future__ import annotations

from ecgscreen.reports.html.writer import HtmlReport

__all__ = ["HtmlReport"]
