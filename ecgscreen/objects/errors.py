"""What goes wrong with a store of objects."""

from __future__ import annotations


class ObjectStoreError(OSError):
    """The store did not answer, or refused."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the object store says {code}")
        self.code = code
