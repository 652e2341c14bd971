"""How to read the page, and how it was made."""

from __future__ import annotations

from datetime import UTC
from html import escape

from ecgscreen.reports.html.words import Words
from ecgscreen.reports.provenance import Provenance
from ecgscreen.results import printable

RUNS_SHOWN = 10
"""Runs that the embeddings come from; run.json names all."""

_TO_READ = ("flag", "score", "percentile", "probability", "strip", "ticks")


def provenance_section(made: Provenance, run: str, words: Words) -> str:
    """The last two sections, and the end of the page's main part.

    Parameters
    ----------
    made
        How the run was made.
    run
        What the browser keeps its ticks under.
    words
        Of the page.
    """
    engine = made.engine
    facts: tuple[tuple[str, str], ...] = (
        (words["version"], made.version),
        (words["started"], made.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")),
        (words["duration"], f"{words.number(made.duration_s, 1)} s"),
        (words["bundle"], f"{made.bundle_name}, SHA-256 {made.bundle_sha256}"),
        (words["list"], f"{made.list_name}, SHA-256 {made.list_sha256}"),
        (words["engine"], f"{engine.name} {engine.version}, {engine.precision}, {engine.device}"),
        (words["run"], run),
    )
    if len(made.rows) > 1 or made.rescored:
        facts = (*facts, (words["embeddings_from"], _last(made.embeddings_from)))
    if made.calibration is not None:
        calibration = f"{made.calibration['file']}, SHA-256 {made.calibration['sha256']}"
        facts = (*facts, (words["calibration"], calibration))
    rows = "".join(f"<dt>{key}</dt><dd>{escape(printable(value))}</dd>" for key, value in facts)
    to_read = "".join(f"<li>{escape(words[f'read_{key}'])}</li>" for key in _TO_READ)
    return (
        f'<section aria-labelledby="read"><h2 id="read">{words["how_to_read"]}</h2>\n'
        f"<ul>{to_read}</ul></section>\n"
        f'<section aria-labelledby="made"><h2 id="made">{words["provenance"]}</h2>\n'
        f"<dl>{rows}</dl></section>\n</main>\n"
    )


def _last(runs: tuple[str, ...]) -> str:
    shown = "; ".join(runs[-RUNS_SHOWN:])
    return f"…; {shown}" if len(runs) > RUNS_SHOWN else shown
