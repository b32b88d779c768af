"""What an engine is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from torch_zoo.utils.types import Commit, Extractor, Outcome, Sink, Source, Tell, no_op

Take = Callable[[Source], bool]  # asked when a worker is about to get a source: may it, or has another run got it?


def always(_: Source) -> bool:
    """As a Take: there is no other run."""
    return True


class Engine(Protocol):
    """Runs an extractor over sources, on some set of devices."""

    def run(
        self,
        sources: Sequence[Source],
        extractor: Extractor,
        sink: Sink,
        commit: Commit = no_op,
        tell: Tell = no_op,
        take: Take = always,
    ) -> Generator[Outcome, None, None]:
        """Yield one outcome per source that it may take, as they come.

        `commit` is called once, when a worker has loaded its network and before anything is written. Raises WorkerError
        or UsageError if no work is possible.
        """
