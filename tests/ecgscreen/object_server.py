"""An S3 server on loopback, with a log of its requests and refusals that a test orders."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ecgscreen.objects import store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SECRET = "a-secret-that-nobody-writes-down"
BUCKET = "ward-7"


class ObjectServer:
    """The server, and what it was asked.

    Attributes
    ----------
    url
        Of the endpoint.
    requests
        Method, path and query of each, in their order.
    refused
        What part of a path is answered with which status.
    """

    def __init__(self, serve: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]) -> None:
        self._serve = serve
        self.url = ""
        self.requests: list[tuple[str, str, str]] = []
        self.refused: dict[str, str] = {}

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.requests.append((environ["REQUEST_METHOD"], path, environ["QUERY_STRING"]))
        for part, status in self.refused.items():
            if part in path:
                start(status, [("Content-Type", "application/xml")])
                return [f"<Error><Code>{status.split()[1]}</Code></Error>".encode()]
        return self._serve(environ, start)

    @property
    def fetched(self) -> list[str]:
        """Names of the objects that were fetched, or parts of them, since `forget`."""
        prefix = f"/{BUCKET}/"
        return sorted(
            path.removeprefix(prefix)
            for method, path, _ in self.requests
            if method == "GET" and path.startswith(prefix) and path != prefix
        )

    def forget(self) -> None:
        """Begin a new log, and serve everything again."""
        self.requests.clear()
        self.refused.clear()


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """Serve an empty bucket on a free port, until the end of the context."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    served = ObjectServer(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, served, threaded=True)
    served.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use(server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process and its children take the server for S3."""
    settings = {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "an-id",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    store.file_system.cache_clear()


def upload(folder: Path, address: str) -> None:
    """Put the files of a folder below an address."""
    protocol, _, prefix = address.partition("://")
    system: Any = store.file_system(protocol)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            system.pipe_file(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())
