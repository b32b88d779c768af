"""What a person sees of a run: progress, messages, the features printed, and the summary."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from tqdm import tqdm

from torch_zoo.utils import naming, storage
from torch_zoo.utils.sinks import failures
from torch_zoo.utils.types import Outcome, Timing, TorchZooError

LOG_SECONDS = 10.0  # between two lines where there is no terminal
FAILURES_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """Options as in configs/config.yaml."""

    folder: str
    progress: Literal["auto", "bar", "log", "off"] = "auto"


class Progress:
    """Takes the outcomes of a run. Features go to stdout, all else to stderr; the bar never breaks into a line.

    When it is left, also where the run was interrupted, it prints the summary and, where features are saved, lists
    what failed beside them.
    """

    def __init__(
        self,
        total: int,
        options: Reporting,
        destination: str = "",
        notes: Sequence[str] = (),
        scope: str = "",
        timing: Timing | None = None,
        keep: Callable[[str], None] = lambda _: None,
    ) -> None:
        kind = options.progress
        if kind == "auto":
            kind = "bar" if sys.stderr.isatty() else "log"
        self._kind = kind
        self._folder = options.folder
        self._destination = destination
        self._timing = timing
        self._bar = tqdm(total=total, unit="source", dynamic_ncols=True, disable=kind != "bar", file=sys.stderr)
        self._total = total
        self._notes = notes  # said first
        self._scope = scope  # which part of the sources this run has; said in the summary
        self._keep = keep  # what has been said, in a log
        self._counts: Counter[str] = Counter()
        self._missing: list[Outcome] = []
        self._known: list[Outcome] = []
        self._failed: list[Outcome] = []
        self._tried: set[str] = set()
        self._media_seconds = 0.0
        self._started = self._logged = time.monotonic()

    def __enter__(self) -> Progress:
        if self._kind != "off":
            for note in self._notes:
                self.say(note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()
        if self._counts or kind is None:
            self.say(self._summary())
            self._list_failures()

    @property
    def failed(self) -> int:
        return self._counts["failed"]

    @property
    def rate(self) -> float:
        """Seconds of media a second."""
        return self._media_seconds / max(1e-9, time.monotonic() - self._started)

    @property
    def _all_failed(self) -> list[Outcome]:
        """Those that failed before and those that are missing last."""
        return [*self._failed, *self._known, *(outcome for outcome in self._missing if outcome.status == "failed")]

    def add(self, outcome: Outcome) -> None:
        self._count(outcome)
        if outcome.status == "failed":
            self._failed.append(outcome)
        self._media_seconds += outcome.media_seconds
        if outcome.printed:
            with tqdm.external_write_mode(file=sys.stdout):
                _print(outcome.printed)
        if outcome.message and self._kind != "off":
            self.say(f"{outcome.status}: {naming.label(outcome.source)}: {outcome.message}")
        self._bar.set_postfix_str(f"{self.failed} failed, {self.rate:.0f} s of media/s", refresh=False)
        self._bar.update()
        if self._kind == "log" and time.monotonic() - self._logged > LOG_SECONDS:
            self._logged = time.monotonic()
            self.say(self._line())

    def add_missing(self, outcomes: Sequence[Outcome]) -> None:
        """Of sources whose files are not there: one line for all of them."""
        self._missing = [*outcomes]
        self._add_untried(outcomes, "missing", "")

    def add_known(self, outcomes: Sequence[Outcome]) -> None:
        """Of sources that failed before and are not tried again: one line for all of them."""
        self._known = [*outcomes]
        self._add_untried(outcomes, "known to fail and not tried", "; retry=all tries all that failed")

    def _add_untried(self, outcomes: Sequence[Outcome], what: str, hint: str) -> None:
        for outcome in outcomes:
            self._count(outcome)
        if outcomes and self._kind != "off":
            count = "1 source is" if len(outcomes) == 1 else f"{len(outcomes)} sources are"
            self.say(f"{count} {what}, e.g. {naming.label(outcomes[0].source)}: {outcomes[0].message}{hint}")
        self._bar.update(len(outcomes))

    def _count(self, outcome: Outcome) -> None:
        self._counts[outcome.status] += 1
        if outcome.status != "missing":
            self._tried.add(outcome.source.name)

    def say(self, text: str) -> None:
        with tqdm.external_write_mode(file=sys.stderr):
            print(text, file=sys.stderr, flush=True)
        self._keep(text)

    def _summary(self) -> str:
        """Counts, speed, where the features are, and why sources failed."""
        counts = ", ".join(f"{self._counts[status]} {status}" for status in ("done", "skipped", "empty", "failed"))
        if self._missing:
            number = len(self._missing)
            counts += f", {number} missing" if self._counts["missing"] else f" ({number} missing)"
        if self._known:
            counts += f" ({len(self._known)} known)"
        seconds = time.monotonic() - self._started
        lines = [f"{counts}; {self._media_seconds:.1f} s of media in {seconds:.1f} s ({self.rate:.1f} times real time)"]
        if self._scope:
            lines.append(self._scope)
        if self._timing:
            lines.append(f"each row: {_timing(self._timing)}")
        if self._destination:
            lines.append(f"features are in {self._destination}")
        failed = self._all_failed
        lines += [f"  {naming.label(outcome.source)}: {outcome.message}" for outcome in failed[:FAILURES_SHOWN]]
        if len(failed) > FAILURES_SHOWN:
            lines.append(f"  and {len(failed) - FAILURES_SHOWN} more")
        return "\n".join(lines)

    def _list_failures(self) -> None:
        if not self._destination:
            return
        try:
            file = failures.update(self._folder, self._tried, self._all_failed)
        except OSError as cause:
            file = storage.join(self._folder, failures.FILE_NAME)
            self.say(f"{file} can't be written: {storage.reason(cause)}")
        else:
            if self.failed:
                self.say(f"what failed is listed in {file}; retry=failed tries it again")

    def _line(self) -> str:
        count = sum(self._counts.values())
        worked = count - self._counts["skipped"]
        left = (time.monotonic() - self._started) / max(1, worked) * (self._total - count)
        eta = tqdm.format_interval(left)
        return f"{count}/{self._total}, {self.failed} failed, {self.rate:.0f} s of media/s, {eta} left"


def _timing(timing: Timing) -> str:
    """In frames, as training codes ask for it, and in seconds where those are the same for all files."""
    numbers = f"num_frames={timing.num_frames}, feat_stride={timing.feat_stride}"
    if timing.fps is None:
        return f"{numbers}, fps as in each file"
    seconds = f"{timing.num_frames / timing.fps:g} s, one every {timing.feat_stride / timing.fps:g} s"
    return f"{numbers}, fps={timing.fps:g} ({seconds})"


def _print(text: str) -> None:
    """To stdout. Raises TorchZooError if that is not possible: its reader is gone (`| head`), or a disk is full."""
    try:
        print(text.encode(errors="backslashreplace").decode(), flush=True)  # file names may hold any bytes
    except OSError as error:
        raise TorchZooError(f"stdout: {error.strerror}; the features of this run can't be printed") from error
