"""Names that say nothing to who has not the key, for reports that leave the house."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ecgscreen.errors import StoreError
from ecgscreen.publish import publish_bytes, storing

KEY_FILE = "pseudonyms.key"
KEY_BYTES = 32
DIGITS = 16

_OF_THE_KEY = b"\0key"
"""No path has a NUL in it."""


@dataclass(frozen=True)
class Pseudonyms:
    """A screening's way from a name to the id that stands for it.

    The record id of ordinary reports is a hash that anybody can compute: who can guess a path,
    such as a patient number, finds it again. This one needs the key too (HMAC, RFC 2104).

    Attributes
    ----------
    key
        32 random bytes; whoever has them can check a guess.
    """

    key: bytes = field(repr=False)

    def of(self, path: str) -> str:
        """Return 16 hexadecimal digits of the HMAC-SHA-256 of the path's bytes (UTF-8).

        Among a million names, two share an id with a probability of 3e-8 (birthday bound,
        n^2 / 2^65).
        """
        return self._digits(path.encode("utf-8", "surrogateescape"))

    @property
    def key_name(self) -> str:
        """16 digits that tell this key from another, and no more about it than any of the ids."""
        return self._digits(_OF_THE_KEY)

    def _digits(self, message: bytes) -> str:
        return hmac.digest(self.key, message, "sha256").hex()[:DIGITS]


def load_pseudonyms(store: Path) -> Pseudonyms:
    """Read the key of a screening, and make it the first time.

    Parameters
    ----------
    store
        The folder of the run store, which never travels; the key lies in it, for its owner only.

    Raises
    ------
    StoreError
        If the key cannot be read, made, or is not one.
    """
    path = store / KEY_FILE
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(KEY_BYTES)
        with storing(path):
            publish_bytes(path, key)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(key) != KEY_BYTES:
        raise StoreError(
            f"{path}: {len(key)} bytes, {KEY_BYTES} are expected",
            "Restore it from a backup, or remove it: the next reports have other ids then.",
        )
    return Pseudonyms(key)
