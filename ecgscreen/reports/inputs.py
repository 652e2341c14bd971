"""One hash over everything that a report rests on, so that it can be checked."""

from __future__ import annotations

import hashlib

from ecgscreen.publish import JsonValue
from ecgscreen.reports.blocks import ScoredBlock


class InputsDigest:
    r"""SHA-256 over the recordings of a report, taken in the pass that writes it.

    It is the hash of a line a recording, ``SHA-256  name\n`` with the hash of its content (a
    ``-`` where it could not be read) and its name in the report, in the report's order. A
    recording more or less, under another name, or of other content, gives another.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._n = self._n_hashed = 0

    def write(self, block: ScoredBlock) -> None:
        """Take the block's rows."""
        for result in block.results:
            self.add(result.path, result.sha256)

    def add(self, name: str, sha256: str) -> None:
        """Take a recording: its name in the report, and the hash of its content or nothing."""
        line = f"{sha256 or '-'}  {name}\n"
        self._digest.update(line.encode("utf-8", "surrogateescape"))
        self._n += 1
        self._n_hashed += bool(sha256)

    def close(self) -> None:
        """Nothing is open."""

    def to_json(self) -> dict[str, JsonValue]:
        """As ``run.json`` has it."""
        return {"n": self._n, "n_hashed": self._n_hashed, "sha256": self._digest.hexdigest()}
