"""What a process reaches for while an input is read: files outside, sockets, other programs.

By Python's audit hooks (PEP 578), which see what Python code opens. What native code opens by
itself, they do not see.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.fuzz_target import FORBIDDEN_EXIT

_ROOT = Path(__file__).parents[1]
_CHECKED_OPEN = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""How `ecgscreen.readers.files` opens: where the file lies is checked before it is read."""
_FORBIDDEN = frozenset(
    {
        *("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
        *("pty.spawn", "pickle.find_class", "webbrowser.open", "urllib.Request"),
        *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname"),
        *("os.rename", "os.chmod", "os.link", "os.symlink", "shutil.copyfile", "shutil.move"),
    }
)


_PROGRAMS = frozenset({sys.executable, "uname"})
"""The second by Python's own `platform`, which h5py asks for the processor when imported."""
_LOCAL = frozenset({socket.AF_UNIX, -1})
"""The second stands for a descriptor that was open before."""


_CHANGES = {"os.mkdir": 2, "os.rmdir": 1, "os.remove": 1, "os.truncate": -1, "shutil.rmtree": 1}
"""What is done to a path, and the argument that holds the folder to which it is relative."""


class Watch:
    """An audit hook for the whole life of the process; it only looks while it is on.

    Parameters
    ----------
    allowed
        A folder whose files may be opened, beside those of Python, of its packages and of this
        project; in the folder for temporary files, they may be made and removed too.
    forbid
        Called with a description of what must not be.
    """

    def __init__(self, allowed: Path, forbid: Callable[[str], None]) -> None:
        self.is_on = False
        self._inside = f"{allowed.resolve()}/"
        self._temporary = f"{Path(tempfile.gettempdir()).resolve()}/ecgscreen-"
        folders = {sys.prefix, sys.base_prefix, str(_ROOT), *sys.path} - {""}
        self._allowed = (
            *(f"{Path(folder).resolve()}/" for folder in folders),
            *(
                "/proc/self/",
                f"/proc/{os.getpid()}/",
                "/sys/devices/system/cpu/",
                "/sys/fs/cgroup/",
                "/dev/null",
            ),
            # Time zones, which packages read when they are imported.
            "/usr/share/zoneinfo/",
        )
        self._forbid = forbid
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.is_on:
            return
        if event == "open":
            self._look_at_file(arguments[0], arguments[2])
        elif event in _CHANGES:
            self._look_at_change(event, arguments)
        elif event in _FORBIDDEN:
            self._say(f"{event} {arguments!r}")
        elif event == "socket.__new__" and arguments[1] not in _LOCAL:
            self._say(f"a socket of family {arguments[1]!r}")
        elif event == "subprocess.Popen" and arguments[0] not in _PROGRAMS:
            self._say(f"the program {arguments[0]!r}")

    def _look_at_file(self, path: object, flags: object) -> None:
        if not isinstance(path, str | bytes):  # a descriptor: of a file that was opened before
            return
        name = os.fsdecode(path)
        # The folder for temporary files itself is opened to make a file without a name.
        if "\0" in name or name == tempfile.gettempdir():
            return
        checked = isinstance(flags, int) and flags & _CHECKED_OPEN == _CHECKED_OPEN
        # A descriptor's entry in /proc is a link to what was opened.
        follow = not checked and not name.startswith("/proc/self/fd/")
        lies_at = os.path.realpath(name) if follow else os.path.normpath(Path.cwd() / name)
        if not f"{lies_at}/".startswith((self._inside, self._temporary, *self._allowed)):
            self._say(f"the file {name}")

    def _look_at_change(self, event: str, arguments: tuple[object, ...]) -> None:
        folder = arguments[_CHANGES[event]] if _CHANGES[event] > 0 else None
        is_open = isinstance(folder, int) and folder >= 0
        base = os.path.realpath(f"/proc/self/fd/{folder}") if is_open else ""
        path = os.path.realpath(Path(base) / str(arguments[0]))
        if not path.startswith(self._temporary):
            self._say(f"{event} {path}")

    def _say(self, what: str) -> None:
        self.is_on = False  # describing it must not be looked at
        self._forbid(what[:300])
        self.is_on = True


def watch_parser() -> None:
    """Watch a process that parses for `ecgscreen.readers.limited`; it leaves where it must not."""
    folder = Path(tempfile.gettempdir()) / "no such folder"
    Watch(folder, lambda _: os._exit(FORBIDDEN_EXIT)).is_on = True
