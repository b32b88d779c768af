"""The last lines of a run: counts, speed, where the features are, and why sources failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from torch_zoo.utils import naming
from torch_zoo.utils.sinks import failures
from torch_zoo.utils.terminal.about import About
from torch_zoo.utils.terminal.status import significant
from torch_zoo.utils.types import Outcome, Timing

FAILURES_SHOWN = 20


class Summary:
    """What became of the sources of a run."""

    def __init__(self, about: About) -> None:
        self._about = about
        self.counts: Counter[str] = Counter()  # by status
        self._media_seconds = 0.0
        self._failed: list[Outcome] = []
        self._missing: list[Outcome] = []
        self._known: list[Outcome] = []
        self._tried: set[str] = set()

    def add(self, outcome: Outcome) -> None:
        self._count(outcome)
        self._media_seconds += outcome.media_seconds
        if outcome.status == "failed":
            self._failed.append(outcome)

    def add_missing(self, outcomes: Sequence[Outcome]) -> None:
        """Of sources whose files are not there."""
        for outcome in outcomes:
            self._count(outcome)
        self._missing += outcomes

    def add_known(self, outcomes: Sequence[Outcome]) -> None:
        """Of sources that failed before and are not tried again."""
        for outcome in outcomes:
            self._count(outcome)
        self._known += outcomes

    def text(self, seconds: float, shown: Collection[str]) -> str:
        """After a run of so many seconds; `shown` are the names of failures that can still be seen above."""
        about = self._about
        lines = [f"{self._counted}; {self._speed(seconds)}"]
        if about.shard:
            lines.append(about.shard)
        if about.timing:
            lines.append(f"each row: {_timing(about.timing)}")
        if about.destination:
            lines.append(f"features are in {about.destination}")
        return "\n".join([*lines, *_reasons([each for each in self._all_failed if each.source.name not in shown])])

    def list_failures(self, folder: str) -> str:
        """Beside the features; returns the list. Raises OSError."""
        return failures.update(folder, self._tried, self._all_failed)

    @property
    def _all_failed(self) -> list[Outcome]:
        """Those that failed before and those that are missing last."""
        return [*self._failed, *self._known, *self._missing_failed]

    @property
    def _missing_failed(self) -> list[Outcome]:
        return [outcome for outcome in self._missing if outcome.status == "failed"]

    def _count(self, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        if outcome.status != "missing":
            self._tried.add(outcome.source.name)

    @property
    def _counted(self) -> str:
        text = ", ".join(f"{self.counts[status]} {status}" for status in ("done", "skipped", "empty", "failed"))
        among = {"missing": len(self._missing_failed), "known": len(self._known)}
        if any(among.values()):
            text += f" ({', '.join(f'{number} {kind}' for kind, number in among.items() if number)})"
        return f"{text}, {self.counts['missing']} missing" if self.counts["missing"] else text

    def _speed(self, seconds: float) -> str:
        if not self._media_seconds:
            return f"{seconds:.1f} s"
        speed = significant(self._media_seconds / seconds)
        return f"{self._media_seconds:.1f} s of media in {seconds:.1f} s ({speed} times real time)"


def _timing(timing: Timing) -> str:
    """In frames, as training codes ask for it, and in seconds where those are the same for all files."""
    numbers = f"num_frames={timing.num_frames}, feat_stride={timing.feat_stride}"
    if timing.fps is None:
        return f"{numbers}, fps as in each file"
    seconds = f"{timing.num_frames / timing.fps:g} s, one every {timing.feat_stride / timing.fps:g} s"
    return f"{numbers}, fps={timing.fps:g} ({seconds})"


def _reasons(failed: Sequence[Outcome]) -> Iterator[str]:
    for outcome in failed[:FAILURES_SHOWN]:
        yield f"  {naming.label(outcome.source)}: {outcome.message}"
    if len(failed) > FAILURES_SHOWN:
        yield f"  and {len(failed) - FAILURES_SHOWN} more"
