"""A scan of object storage against that of a folder: the same report, at what cost.

    python -m bench.objects --records 500 --latency-ms 0 20

puts simulated recordings of 10 s and 12 leads at 100 Hz into the bucket of a server on loopback
(moto, in a process of its own), which answers each request after the time given; scans folder and
bucket in turns; and prints clock and processor time of the whole command, the second night's too,
with what the server was asked. The reports are compared but for the paths. The server is a slow
one, and takes a core for itself: what is to be seen is that waiting for it costs little, and what
the requests cost the scan.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.linked_records import write_linked
from bench.scan import LABELS, ROOT

BUCKET = "recordings"
ADDRESS = f"s3://{BUCKET}/archive"
COUNTS = "/counts-of-requests"


def serve(latency_s: float) -> None:
    """Be the server: print its port, and serve until the end."""
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    application = DomainDispatcherApplication(create_backend_app)
    counts: Counter[str] = Counter()

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == COUNTS:
            start("200 OK", [])
            told = json.dumps(counts).encode()
            counts.clear()
            return [told]
        kind = "LIST" if "list-type" in environ["QUERY_STRING"] else environ["REQUEST_METHOD"]
        counts[kind] += 1
        if kind != "PUT":
            time.sleep(latency_s)
        answered: Iterable[bytes] = application(environ, start)
        return answered

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


@contextmanager
def server(latency_s: float) -> Iterator[str]:
    """Run the server in a process; give its endpoint, to which AWS's variables point then."""
    command = [sys.executable, "-m", "bench.objects", "--serve", f"{latency_s}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        endpoint = f"http://127.0.0.1:{int(process.stdout.readline())}"
        os.environ |= {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        try:
            yield endpoint
        finally:
            process.terminate()


def upload(folder: Path) -> None:
    """Put the recordings into the bucket."""
    from ecgscreen.objects import store

    system = store.file_system("s3")
    system.mkdir(BUCKET)
    system.put(f"{folder}/", f"{BUCKET}/archive/", recursive=True)
    store.file_system.cache_clear()


@dataclass(frozen=True)
class Took:
    """Seconds of a scan, and the requests of each kind."""

    clock: float
    processor: float
    requests: dict[str, int]


def scan(root: str, out: Path, endpoint: str) -> Took:
    """Run the command."""
    _counts(endpoint)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "ecgscreen", "scan", root, "--labels", LABELS]
    subprocess.run([*command, "--out", str(out), "-q"], cwd=ROOT, check=True)
    clock = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Took(clock, processor, _counts(endpoint))


def _counts(endpoint: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{endpoint}{COUNTS}") as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


def rows(out: Path) -> list[list[str]]:
    """The report without the paths."""
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        return [row[1:] for row in csv.reader(file)]


def measure(records: Path, latency_s: float, folder: Path) -> None:
    """Print the lines of one latency."""
    with server(latency_s) as endpoint:
        upload(records)
        out = {name: folder / f"{name}-{latency_s}" for name in ("folder", "bucket")}
        for night in ("first", "second"):
            for name, root in (("folder", str(records)), ("bucket", ADDRESS)):
                took = scan(root, out[name], endpoint)
                asked = ", ".join(f"{n} {kind}" for kind, n in sorted(took.requests.items()))
                print(
                    f"| {1000 * latency_s:g} ms | {name} | {night} | {took.clock:.1f} s "
                    f"| {took.processor:.1f} s | {asked} |",
                    flush=True,
                )
        if rows(out["folder"]) != rows(out["bucket"]):
            raise SystemExit("the reports differ")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--latency-ms", type=float, nargs="+", default=[0.0, 20.0])
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        records = write_linked(Path(folder, "all"), arguments.records, sampling_rate=100.0)
        print(
            "| latency | source | night | clock | processor | requests |\n|---|---|---|---|---|---|"
        )
        for latency_ms in arguments.latency_ms:
            measure(records, latency_ms / 1000, Path(folder))


if __name__ == "__main__":
    main()
