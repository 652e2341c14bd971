"""What stands around the page: its head with the policy, its style, its script."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC
from functools import cache
from html import escape
from importlib import resources

from ecgscreen.reports.html.words import Words
from ecgscreen.reports.provenance import Provenance
from ecgscreen.results import printable
from ecgscreen.strip import PAPER_DEFINITION


def style_and_policy(*, with_script: bool = False) -> str:
    """The style, and the policy that lets nothing else count: for the head of a page."""
    script = f"script-src '{_hash(_part('page.js'))}'; " if with_script else ""
    policy = (
        f"default-src 'none'; {script}style-src '{_hash(_part('page.css'))}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<style>{_part('page.css')}</style>\n"
    )


def head(words: Words, made: Provenance) -> str:
    """Everything down to the warning."""
    date = made.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    line = words["made"].format(date=date, list=made.list_name, bundle=made.bundle_name)
    return (
        f'<!DOCTYPE html>\n<html lang="{words.language}">\n<head>\n<meta charset="utf-8">\n'
        f"{style_and_policy(with_script=True)}"
        f"<title>{words['title']}, {date}</title>\n</head>\n<body>\n"
        f'<a class="skip" href="#table-title">{words["skip"]}</a>\n'
        f'<svg class="paper" width="0" height="0" aria-hidden="true">{PAPER_DEFINITION}</svg>\n'
        f'<header><h1>{words["title"]}</h1>\n<p class="soft">{escape(printable(line))}</p>\n'
        f'<p class="warning" role="note"><strong>{words["warning"]}</strong> '
        f"{words['warning_more']}</p></header>\n<main>\n"
    )


def foot() -> str:
    """The script, and the end."""
    return f"<script>{_part('page.js')}</script>\n</body>\n</html>\n"


@cache
def _part(name: str) -> str:
    return resources.files("ecgscreen.reports.html").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """The source expression of Content Security Policy Level 3 for inline content."""
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
