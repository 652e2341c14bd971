"""Makes the pictures of the manual: the page and the terminal, of simulated recordings.

``python -m bench.pictures`` writes docs/pictures/report.png and docs/pictures/terminal.png. It
needs a Chromium, as the tests of the page do.
"""

from __future__ import annotations

import base64
import io
import os
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ecgscreen.progress import print_summary
from ecgscreen.scan import ScanOptions, scan
from ecgscreen.simulate import write_dataset
from tests.browser import NAMES, Browser, find_browser

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
WIDTH = 1000
REPORT_HEIGHT, TERMINAL_HEIGHT = 680, 715
COLUMNS = 100
COLOURS = 48


def main() -> None:
    """Simulate, scan, and take the pictures."""
    program = find_browser()
    if program is None:
        sys.exit(f"no browser is installed ({', '.join(NAMES)})")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # what the pictures show is named as a user would name it
        write_dataset(Path("records"), 40, 1, faults=3)
        result = scan(ScanOptions((Path("records"),), "rhythm.txt", Path("screening"), threads=1))
        console = Console(
            record=True, width=COLUMNS, file=io.StringIO(), highlight=False, emoji=False
        )
        print_summary(console, result.summary, result.provenance, Path("screening"))
        terminal = Path("terminal.html")
        terminal.write_text(console.export_svg(title="ecgscreen scan ./records"), encoding="utf-8")
        with Browser(program, width=WIDTH, height=REPORT_HEIGHT) as browser:
            browser.open(Path("screening/report.html"))
            # From the first strip on: what the table and the page's head say, words can.
            browser.evaluate("document.querySelector('article').scrollIntoView()")
            _take(browser, FOLDER / "report.png", WIDTH, REPORT_HEIGHT)
            browser.open(terminal)
            _take(browser, FOLDER / "terminal.png", WIDTH, TERMINAL_HEIGHT)


def _take(browser: Browser, path: Path, width: int, height: int) -> None:
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,
    )
    picture = browser.call("Page.captureScreenshot", format="png")["data"]
    blank = Path("blank.html")  # the report's own policy forbids it to show a picture
    blank.write_text("<!DOCTYPE html>", encoding="utf-8")
    browser.open(blank)
    pixels = np.frombuffer(
        base64.b64decode(browser.evaluate(_PIXELS.replace("PICTURE", picture))), np.uint8
    )
    path.write_bytes(_png(pixels.reshape(height, width, 4)[..., :3]))
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


_PIXELS = """
(async () => {
  const image = new Image();
  image.src = "data:image/png;base64,PICTURE";
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let text = "";
  for (let n = 0; n < data.length; n += 32768) {
    text += String.fromCharCode(...data.subarray(n, n + 32768));
  }
  return btoa(text);
})()
"""
"""The browser decodes its own picture."""


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture in few colours: PNG with a palette of the commonest `COLOURS` (RFC 2083).

    Parameters
    ----------
    pixels
        uint8, shape (height, width, 3).
    """
    height, width, _ = pixels.shape
    coarse = pixels & np.uint8(0xF8)
    found, inverse, counts = np.unique(
        coarse.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    kept = found[np.argsort(-counts)[:COLOURS]].astype(np.int64)
    distance = np.square(found.astype(np.int64)[:, np.newaxis] - kept).sum(axis=2)
    indices = distance.argmin(axis=1)[inverse.ravel()].astype(np.uint8).reshape(height, width)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), indices], axis=1)
    palette = np.minimum(kept + 4, 255).astype(np.uint8)
    palette[kept.min(axis=1) >= 0xF8] = 255
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


if __name__ == "__main__":
    main()
