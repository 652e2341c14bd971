"""What a person at the terminal sees of a training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from trainer.steps import Epoch


class TrainingProgress:
    """A bar over all steps with loss, AUC and the time left; a context manager.

    Every epoch also leaves a line, with the time left in it where there is no terminal.

    Parameters
    ----------
    console
        Where to show it; nothing is shown on a quiet one.
    epochs
        In the whole run.
    steps_per_epoch
        Each of them one call of `on_step`.
    clock
        Seconds.
    """

    def __init__(
        self,
        console: Console,
        epochs: int,
        steps_per_epoch: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._epochs = epochs
        self._clock = clock
        self._started: tuple[float, int] | None = None
        self._step = 0
        self._total = epochs * steps_per_epoch
        self._auc = ""
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            refresh_per_second=2,
            disable=console.quiet or not console.is_interactive,
        )
        self._task = self._progress.add_task("", total=self._total, figures="")

    def __enter__(self) -> TrainingProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def on_step(self, step: int, loss: float) -> None:
        """Count a step that is done; a resumed run begins with a later one."""
        if self._started is None:
            self._started = (self._clock(), step)
        self._step = step
        figures = f"loss {loss:.3f}{self._auc}"
        self._progress.update(self._task, completed=step, figures=figures)

    def on_epoch(self, epoch: Epoch) -> None:
        """Print what is known after an epoch."""
        if not math.isnan(epoch.validation_auc):
            self._auc = f", macro AUC {epoch.validation_auc:.3f}"
        measured = self._auc if not math.isnan(epoch.validation_auc) else ""
        left = "" if self._console.is_interactive else self._left()
        self._console.print(
            f"epoch {epoch.number} of {self._epochs}: loss {epoch.loss:.3f}{measured}{left}"
        )

    def _left(self) -> str:
        if self._started is None or self._step == self._total:
            return ""
        since, first = self._started
        if not (done := self._step - first):
            return ""
        seconds = (self._clock() - since) / done * (self._total - self._step)
        return f", about {math.ceil(seconds / 60)} min left"
