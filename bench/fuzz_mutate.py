"""Ways to spoil an input, whatever it is: bytes, numbers in a text, fields of a document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

NUMBERS = (
    *("0", "-0", "1", "-1", "2", "7", "1.5", "-3", "1e400", "-1e400", "1e-400", "1e308", "1e-9"),
    *("nan", "inf", "-inf", "NaN", "Infinity", "127", "255", "256", "32767", "65535", "65536"),
    *("2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808"),
    *(
        "1000000",
        "100000000",
        "99999999999",
        "-99999999999",
        "0x10",
        "1_000",
        "\N{SUPERSCRIPT TWO}",
        "1e5",
    ),
    *("9" * 20, "9" * 400, "9" * 5000, "0." + "0" * 400 + "1", "+5", " ", "", "1,5", "00000000012"),
)
"""As they stand in a text: limits of types, what Python takes for a number, what overflows."""

_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")

FRAGMENTS = (
    *(b"\0", b"\xff", b"\xfe", b" ", b"\n", b"\r", b"\t", b"\x0b", b"\x1b[31m", b"\x7f", b"\x85"),
    *(b"/", b"(", b")", b"+", b":", b"x", b"-", b"#", b".", b"~", b",", b";", b"=", b"|", b"%"),
    *(b"'", b'"', b"[", b"]", b"{", b"}", b"<", b">", b"&", b"\\", b"\\x00", b"%s", b"{0}"),
    *(b"../", b"/etc/passwd", b"http://localhost/a", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc2\x9f"),
    *(
        "\N{RIGHT-TO-LEFT OVERRIDE}",
        "\N{ZERO WIDTH SPACE}",
        "\N{LINE SEPARATOR}",
        "ß",
        "\N{ARABIC-INDIC DIGIT THREE}",
        "İ",
    ),
    *(b"A" * 300, b" " * 2000, b"(" * 200, b"9" * 20, b"1e400", b"nan", b"null", b"true"),
)


def spoil_bytes(rng: Random, content: bytes) -> bytes:
    """Change a few places: bits, bytes, numbers at the edge of their type, chunks, the length."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(_BYTE_CHANGES)(rng, changed)
    return bytes(changed)


def _flip(rng: Random, changed: bytearray) -> None:
    if changed:
        changed[_place(rng, changed)] ^= 1 << rng.randrange(8)


def _overwrite(rng: Random, changed: bytearray) -> None:
    if changed:
        changed[_place(rng, changed)] = rng.choice((0, 1, 10, 32, 48, 127, 128, 254, 255))


def _length_field(rng: Random, changed: bytearray) -> None:
    """Numbers at the edge of their type, where a length or a count may stand."""
    width = rng.choice((2, 4, 4, 8))
    bits = 8 * width
    number = rng.choice((0, 1, 2, 255, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1))
    number = rng.choice((number, rng.randrange(1 << bits), rng.randrange(1 << (bits // 2))))
    place = _place(rng, changed) if changed else 0
    changed[place : place + width] = number.to_bytes(width, rng.choice(("little", "big")))


def _cut_off(rng: Random, changed: bytearray) -> None:
    del changed[_place(rng, changed) if changed else 0 :]


def _take_out(rng: Random, changed: bytearray) -> None:
    place = _place(rng, changed) if changed else 0
    del changed[place : place + rng.choice((1, 2, 3, 4, 16, 100, 1000))]


def _double(rng: Random, changed: bytearray) -> None:
    place = _place(rng, changed) if changed else 0
    chunk = bytes(changed[place : place + rng.choice((1, 2, 4, 16, 100, 1000))])
    changed[place:place] = chunk * rng.choice((1, 1, 2, 50))


def _insert(rng: Random, changed: bytearray) -> None:
    place = _place(rng, changed) if changed else 0
    changed[place:place] = rng.choice((rng.randbytes(3), rng.randbytes(40), fragment(rng)))


def _move(rng: Random, changed: bytearray) -> None:
    """Copy a chunk over another: fields of one kind at the place of another."""
    if changed:
        source, place = _place(rng, changed), _place(rng, changed)
        chunk = bytes(changed[source : source + rng.choice((2, 4, 8, 64))])
        changed[place : place + len(chunk)] = chunk


def _place(rng: Random, changed: bytearray) -> int:
    """A place, more often near the beginning, where headers are."""
    length = len(changed)
    return rng.randrange(min(length, rng.choice((16, 64, 256, 1024, length, length))))


_BYTE_CHANGES: Sequence[Callable[[Random, bytearray], None]] = (
    *(_flip, _flip, _overwrite, _overwrite, _length_field, _length_field, _length_field),
    *(_cut_off, _take_out, _double, _insert, _move),
)


def fragment(rng: Random) -> bytes:
    """Give a piece of text that means something to one parser or another."""
    chosen = rng.choice(FRAGMENTS)
    return chosen.encode() if isinstance(chosen, str) else chosen


def number(rng: Random) -> str:
    """Give a number as a text has it, or what nearly is one."""
    return rng.choice((rng.choice(NUMBERS), rng.choice(NUMBERS), str(rng.randint(-5, 70_000))))


def spoil_numbers(rng: Random, content: bytes, first: int = 4096) -> bytes:
    """Put other numbers into the place of some that stand in the beginning of a text."""
    found = list(_NUMBER.finditer(content, 0, first))
    if not found:
        return spoil_bytes(rng, content)
    changed = content
    chosen = rng.sample(found, min(len(found), rng.choice((1, 1, 2, 4))))
    for match in sorted(chosen, key=lambda each: each.start(), reverse=True):
        changed = changed[: match.start()] + number(rng).encode() + changed[match.end() :]
    return changed


def spoil_text(rng: Random, content: bytes) -> bytes:
    """Spoil a text: numbers, pieces of grammar, lines doubled, exchanged and left out, bytes."""
    way = rng.randrange(5)
    if way == 0:
        return spoil_numbers(rng, content)
    if way == 1:
        return spoil_bytes(rng, content)
    if way == 2:
        return spoil_lines(rng, content)
    changed = content
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(changed) + 1)
        taken = rng.choice((0, 0, 1, 2, 10, 50))
        changed = changed[:place] + fragment(rng) + changed[place + taken :]
    return changed


def spoil_lines(rng: Random, content: bytes) -> bytes:
    """Double, exchange, join and leave out lines, or end them in another way."""
    lines = content.split(b"\n")
    for _ in range(rng.choice((1, 1, 3))):
        place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        way = rng.randrange(5)
        if way == 0:
            lines[place : place + 1] = [lines[place]] * rng.choice((2, 3, 600))
        elif way == 1:
            lines[place], lines[other] = lines[other], lines[place]
        elif way == 2:
            lines[place] += lines[other]
        elif way == 3 and len(lines) > 1:
            del lines[place]
        else:
            lines.insert(place, rng.choice((b"", b"#", b"# " + b"x" * 3000, fragment(rng))))
    return rng.choice((b"\n", b"\n", b"\r\n", b"\r", b"\n\n")).join(lines)


def spoil_document(rng: Random, document: Any) -> bytes:
    """Give a JSON document with some values, keys or bytes of it changed."""
    changed = json.loads(json.dumps(document))
    for _ in range(rng.choice((1, 1, 2, 3))):
        changed = _spoil_node(rng, changed)
    text = json.dumps(changed, ensure_ascii=rng.random() < 0.8)
    # Numbers of thousands of digits, and beyond what a float can be, only exist as text.
    text = text.replace('"number here"', rng.choice(NUMBERS[:-8]) or "0")
    content = text.encode("utf-8", "surrogatepass")
    return spoil_text(rng, content) if rng.random() < 0.2 else content


def _spoil_node(rng: Random, node: Any) -> Any:
    """Walk down to a node that is chosen by chance, and change it."""
    if isinstance(node, dict | list) and node and rng.random() < 0.85:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = rng.choice(keys)
        if rng.random() < 0.1:
            del node[key]
        elif rng.random() < 0.1 and isinstance(node, dict):
            node[f"{key}{rng.choice(('_', ' ', chr(0)))}"] = node.pop(key)
        elif rng.random() < 0.1 and isinstance(node, list):
            node.extend(node[:1] * rng.choice((1, 2, 1000)))
        else:
            node[key] = _spoil_node(rng, node[key])
        return node
    return odd_value(rng)


def odd_value(rng: Random) -> Any:
    """Give a value that a document does not have there."""
    nested: Any = 0
    if rng.random() < 0.05:
        for _ in range(rng.choice((10, 400))):
            nested = [nested]
    return rng.choice(
        (
            *(None, True, False, 0, 1, -1, 0.5, -1e308, 10**18, -(10**30), 10**400, nested),
            *("", " ", "\0", "\ud800", "\x1b[2J", "a" * 5000, PATH, "../x", "=1+1", "nan", "I"),
            *([], {}, [[]], [None], {"": None}, [1] * 100, {"a": {"b": {}}}, "number here"),
            *("number here", "number here", rng.randint(-10, 10**6), rng.uniform(-2, 2)),
        )
    )


PATH = "/etc/passwd"
