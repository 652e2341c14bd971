"""A process that does a part of what is to be done, beside this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from ecgscreen.serving import Done
from ecgscreen.worker_process import WorkerProcess

Result = TypeVar("Result")


class Helper(Protocol):
    """Whatever goes on errands."""

    def begin(self, errand: Callable[[], Result]) -> Callable[[], Result]:
        """Have something done meanwhile.

        Parameters
        ----------
        errand
            What to do; it and what it returns can be pickled, and it may be done twice.

        Returns
        -------
        What waits for the result, to be called once. It raises what the errand raised.
        """
        ...

    @property
    def is_free(self) -> bool:
        """Whether all that was begun is done."""
        ...

    def stop(self) -> None:
        """End what is being done; what was begun has no result."""
        ...


class HelperProcess:
    """A `Helper`: a worker that has no task any more (see `ecgscreen.serving`).

    If the process dies, this one goes on the errand itself.
    """

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        self._answers: list[Done] = []
        self._n_begun = 0
        self._is_gone = False

    def begin(self, errand: Callable[[], Result]) -> Callable[[], Result]:
        """See `Helper`."""
        try:
            self._process.connection.send(errand)
        except ConnectionError:
            self._is_gone = True
        number = self._n_begun
        self._n_begun += 1

        def result() -> Result:
            answer = self._answer(number)
            if answer is None:
                return errand()
            if answer.error is not None:
                raise answer.error
            done: Result = answer.result  # type: ignore[assignment]  # of this errand
            return done

        return result

    @property
    def is_free(self) -> bool:
        """See `Helper`."""
        while not self._is_gone and self._process.connection.poll():
            self._take()
        return not self._is_gone and len(self._answers) == self._n_begun

    def stop(self) -> None:
        """See `Helper`."""
        self._is_gone = True
        self._process.stop()
        self._process.join()

    def _answer(self, number: int) -> Done | None:
        while len(self._answers) <= number and not self._is_gone:
            self._take()
        return self._answers[number] if number < len(self._answers) else None

    def _take(self) -> None:
        """Wait for an answer, or the end of the process."""
        try:
            self._answers.append(self._process.receive())
        except EOFError:
            self._is_gone = True
