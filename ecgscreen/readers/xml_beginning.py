"""What the beginning of an XML document tells: its root element, or that it ends before."""

from __future__ import annotations

import re

_SPACE = re.compile(
    r"\s+ | <\?.*?\?> | <!--.*?--> | <!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.VERBOSE | re.DOTALL
)
_ROOT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_ELEMENT = re.compile(r"<[^\W\d]")
_CUT_NAME = re.compile(r"<(?:[^\W\d][\w.:-]*)?")
_UTF_8_MARK, _UTF_16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


def xml_root(head: bytes) -> str:
    """Give the name of an XML document's root element, without its prefix.

    Parameters
    ----------
    head
        The beginning of the file, in UTF-8, Latin-1, or UTF-16 with its mark.

    Returns
    -------
    The name, or an empty text if there is none in what is given.
    """
    root = _ROOT.match(_behind_space(head))
    return root[1] if root is not None else ""


def ends_before_root(content: bytes) -> bool:
    """Whether an XML document ends before, or within, the name of its root element.

    Such content may be the beginning of any document. What is no XML at all is not.

    Parameters
    ----------
    content
        All of the document, in an encoding as above.
    """
    if any(mark.startswith(content) for mark in (_UTF_8_MARK, *_UTF_16_MARKS)):
        return True
    rest = _behind_space(content)
    return (
        any(begin.startswith(rest) for begin in ("<!--", "<!DOCTYPE"))
        or rest.startswith(("<?", "<!--"))  # without an end, else it were behind
        # One that is odd, but whole, has the root behind it.
        or (rest.startswith("<!DOCTYPE") and _ELEMENT.search(rest) is None)
        or _CUT_NAME.fullmatch(rest) is not None
    )


def _behind_space(head: bytes) -> str:
    """What follows on declaration, comments, instructions and document type."""
    if head[:2] in _UTF_16_MARKS:
        # The last character may be there in part.
        text = head.decode("utf-16", errors="replace").rstrip("\N{REPLACEMENT CHARACTER}")
    else:
        text = head.removeprefix(_UTF_8_MARK).decode("latin-1")
    position = 0
    while (space := _SPACE.match(text, position)) is not None:
        position = space.end()
    return text[position:]
