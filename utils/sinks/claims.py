"""Which of the runs that share a folder extracts a source: the one that first has a worker for it."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from torch_zoo.utils.digests import digest
from torch_zoo.utils.sinks.member import Member
from torch_zoo.utils.types import Outcome, Source

POLL_SECONDS = 1.0
INTERRUPTED_SECONDS = 1.0  # for removing claims; the next run removes the others
MOST_CHARACTERS = 1000  # of a message; a link has room for some thousand bytes


class Claims:
    """Those of a run; without a `member`, a run has all sources to itself. When it is left, so is the folder."""

    def __init__(self, member: Member | None) -> None:
        self._member = member
        self._links: dict[str, Path] = {}  # of this run's sources in progress, by name
        self.left: list[Source] = []  # to other runs, which have claimed them

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._member:
            self._member.leave(math.inf if error is None else INTERRUPTED_SECONDS)

    def take(self, source: Source) -> bool:
        """Claim a source, as a `Take`."""
        if not self._member or not self._member.id:
            return True
        try:
            link = self._member.take(_key(source))
        except OSError:  # features can't be stored there either, which fails with a reason
            return True
        if link:
            self._links[source.name] = link
        else:
            self.left.append(source)
        return link is not None

    def settle(self, outcome: Outcome) -> None:
        """Tell other runs what became of a source of this one."""
        link = self._links.pop(outcome.source.name, None)
        if link and self._member:
            message = outcome.message.replace("\n", " ")[:MOST_CHARACTERS]
            with suppress(OSError):  # then others try it again
                self._member.settle(link, f"{outcome.status} {outcome.attempt or '-'} {message}")

    @property
    def holders(self) -> list[str]:
        """The runs that are at work on what was left to them, for people."""
        runs = {text for text in map(self._text, self.left) if text and " " not in text}
        return sorted(self._member.describe(run) for run in runs) if self._member else []

    def wait_until_known(self) -> None:
        """As that of a member."""
        if self._member:
            self._member.wait_until_known()

    def wait(self) -> list[Source]:
        """What was left to other runs and has been settled, or is free again because they ended before that.

        It waits for all of it, unless some is free.
        """
        settled: list[Source] = []
        while self.left:
            texts = [(source, self._text(source)) for source in self.left]
            self.left = [source for source, text in texts if text and " " not in text]
            settled += [source for source, text in texts if " " in text]
            if free := [source for source, text in texts if not text]:
                return settled + free
            if self.left:
                time.sleep(POLL_SECONDS)
        return settled

    def outcome(self, source: Source) -> Outcome | None:
        """What another run has said of a source."""
        _, status, attempt, message = (*self._text(source).split(" ", 3), "", "", "")[:4]
        if status == "done":
            return Outcome(source, "failed", "another run extracted it, and its features are no longer there")
        if status not in ("empty", "failed"):
            return None
        return Outcome(source, "empty" if status == "empty" else "failed", message, attempt=attempt.strip("-"))

    def _text(self, source: Source) -> str:
        return self._member.end(_key(source))[1] if self._member and self._member.id else ""


def _key(source: Source) -> str:
    return digest(source.name.encode(errors="surrogateescape"))
