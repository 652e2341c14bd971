"""A headless Chromium that a test drives: over a pipe, with nothing but the standard library."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

PATIENCE_S = 120

OPTIONS = (
    "--headless",
    "--no-sandbox",  # refuses to start for root otherwise, which is what CI is
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def find_browser() -> str | None:
    """The program that is installed here, if any."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page; a context manager.

    The Chrome DevTools Protocol over file descriptors 3 and 4, messages ending in NUL
    (``--remote-debugging-pipe``).

    Attributes
    ----------
    complaints
        What the console was told by the page or by the browser, and exceptions of scripts.
    """

    def __init__(self, program: str, *, width: int = 1200, height: int = 900) -> None:
        self.complaints: list[str] = []
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands_in, self._commands = os.pipe()
        self._answers_fd, answers_out = os.pipe()

        def wire() -> None:
            # Away from 3 and 4 first: either pipe may lie there already.
            spare = [os.dup(commands_in), os.dup(answers_out)]
            while min(spare) < 10:
                spare = [os.dup(fd) for fd in spare]
            os.dup2(spare[0], 3)
            os.dup2(spare[1], 4)

        self._process = subprocess.Popen(
            [
                *(program, *OPTIONS),
                *(f"--user-data-dir={self._profile.name}", f"--window-size={width},{height}"),
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=wire,  # noqa: PLW1509 - the child needs descriptors 3 and 4
            start_new_session=True,
        )
        os.close(commands_in)
        os.close(answers_out)
        self._answers = os.fdopen(self._answers_fd, "rb", buffering=0)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session = None
        try:
            self.call("Browser.close")
        except (OSError, EOFError):
            self._process.kill()
        self._process.wait(60)
        os.close(self._commands)
        self._answers.close()
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result.

        Raises
        ------
        RuntimeError
            If the browser refuses it.
        EOFError
            If the browser has ended.
        """
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def open(self, path: Path) -> None:
        """Load a file, and wait until it is loaded."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.evaluate(
            "new Promise(done => document.readyState === 'complete' ? done() "
            ": addEventListener('load', () => done()))"
        )

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release a key, such as ``Enter`` (13)."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def _next(self) -> Any:
        while b"\0" not in self._rest:
            if not select.select([self._answers], [], [], PATIENCE_S)[0]:
                self._process.kill()
                raise TimeoutError(f"the browser has not answered for {PATIENCE_S} s")
            part = self._answers.read(1 << 16)
            if not part:
                raise EOFError("the browser has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: Any) -> None:
        method, found = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(found["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(found["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(found["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            url = found["request"]["url"]
            if not url.startswith(("file:", "about:", "blob:")):
                self.complaints.append(f"asks for {url}")
