"""A disk that a power cut may rob of all that was not yet brought to it.

What a file system keeps of a program's writes and renames when the power goes is only what fsync(2)
was called for; all else may be there or not, in any order (Pillai et al., "All file systems are not
created equal", OSDI 2014). While a `CrashDisk` watches a folder, it notes before every fsync,
rename and removal what the folder could look like after a cut at that moment.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch


@dataclass
class _Content:
    """What of a file has been brought to the disk: nothing before its first fsync."""

    durable: bytes = b""


@dataclass(frozen=True)
class State:
    """What a folder could look like after a power cut.

    Attributes
    ----------
    name
        Number and kind of the operation that the cut came before, and what was lost.
    files
        By path relative to the folder.
    """

    name: str
    files: dict[str, bytes]

    def write(self, folder: Path) -> None:
        """Make `folder` look like it; what it holds already is removed."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@dataclass
class CrashDisk:
    """Watches a folder; `states` holds what cuts could have left of it.

    Three states an operation: all that was written reached the disk (``kept``), nothing did that
    was not asked for (``lost``), and names did but not the content (``names only``): the empty
    file that delayed allocation leaves. A state that was noted before is not noted again.

    Attributes
    ----------
    root
        The folder; all that lies in it at first is durable.
    fail_at
        Operation that raises `fault`, -1 for none.
    fault
        What it raises.
    n_operations
        Seen so far.
    failed
        What the operation was that failed: fsync, rename or unlink.
    """

    root: Path
    fail_at: int = -1
    fault: OSError | None = None
    states: list[State] = field(default_factory=list)
    n_operations: int = 0
    failed: str = ""
    _contents: dict[int, _Content] = field(default_factory=dict)
    _listings: dict[Path, dict[str, _Content]] = field(default_factory=dict)

    @contextmanager
    def watching(self) -> Iterator[CrashDisk]:
        """Watch the folder during the body."""
        for path in self._files():
            self._content_of(path).durable = path.read_bytes()
        for folder in self._folders():
            self._sync_listing(folder)
        fsync, replace, unlink = os.fsync, os.replace, os.unlink

        def watched_fsync(descriptor: int) -> None:
            self._before("fsync")
            fsync(descriptor)
            self._synced(descriptor)

        def watched_replace(source: Any, target: Any) -> None:
            self._before("rename")
            self._forget(target)
            replace(source, target)

        def watched_unlink(path: Any, **options: Any) -> None:
            self._before("unlink")
            self._forget(path)
            unlink(path, **options)

        with (
            patch.object(os, "fsync", watched_fsync),
            patch.object(os, "replace", watched_replace),
            patch.object(os, "unlink", watched_unlink),
        ):
            yield self

    def at_the_end(self) -> tuple[dict[str, bytes], ...]:
        """What the folder could look like after a cut now, by path; not noted in `states`."""
        return self._kept(), self._lost(), self._names_only()

    def _before(self, operation: str) -> None:
        number, self.n_operations = self.n_operations, self.n_operations + 1
        if number == self.fail_at and self.fault is not None:
            self.failed = operation
            raise self.fault
        if self.fault is not None:
            return
        for kind, state in (
            ("kept", self._kept()),
            ("lost", self._lost()),
            ("names only", self._names_only()),
        ):
            if state not in [other.files for other in self.states]:
                self.states.append(State(f"{number} {operation}, {kind}", state))

    def _kept(self) -> dict[str, bytes]:
        return {self._name(path): path.read_bytes() for path in self._files()}

    def _names_only(self) -> dict[str, bytes]:
        return {self._name(path): self._content_of(path).durable for path in self._files()}

    def _lost(self) -> dict[str, bytes]:
        return {
            self._name(folder / name): content.durable
            for folder, names in self._listings.items()
            for name, content in names.items()
        }

    def _synced(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not path.is_relative_to(self.root):
            return
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self._sync_listing(path)
        else:
            self._content_of(path).durable = path.read_bytes()

    def _sync_listing(self, folder: Path) -> None:
        self._listings[folder] = {
            path.name: self._content_of(path) for path in folder.iterdir() if path.is_file()
        }

    def _content_of(self, path: Path) -> _Content:
        return self._contents.setdefault(path.stat().st_ino, _Content())

    def _forget(self, path: Any) -> None:
        """Let go of a file's number, which a new file may get; listings keep its content."""
        if Path(path).exists():
            self._contents.pop(Path(path).stat().st_ino, None)

    def _files(self) -> Iterator[Path]:
        return (path for path in self.root.rglob("*") if path.is_file())

    def _folders(self) -> list[Path]:
        return [self.root, *(path for path in self.root.rglob("*") if path.is_dir())]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
