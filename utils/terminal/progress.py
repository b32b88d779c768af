"""What a person sees of a run: what it is, how far it is, messages, the features printed, and the summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from tqdm import tqdm

from torch_zoo.utils import naming, storage
from torch_zoo.utils.engines.news import Computed, Devices, Loading, Position
from torch_zoo.utils.sinks import failures
from torch_zoo.utils.terminal.about import About
from torch_zoo.utils.terminal.colors import styled
from torch_zoo.utils.terminal.displays import Bar, Display, Log, Ticker, turn
from torch_zoo.utils.terminal.status import Status
from torch_zoo.utils.terminal.summary import Summary
from torch_zoo.utils.terminal.work import Work
from torch_zoo.utils.types import Outcome, OutputError, Source, TorchZooError

IN_VIEW = 20  # of the latest lines; a failure that is among them is not said again


@dataclass(frozen=True, kw_only=True)
class Reporting:
    """Options as in configs/config.yaml."""

    folder: str
    progress: Literal["auto", "bar", "log", "off"] = "auto"


class Progress:
    """Takes what the driver of a run learns. Features go to stdout, all else to stderr; a bar never breaks into a line.

    When it is left, also where the run was interrupted, it prints the summary and, where features are saved, lists
    what failed beside them; an OutputError gets to say how many sources are left. `keep` gets all lines but features.
    """

    def __init__(
        self,
        options: Reporting,
        about: About,
        keep: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = options.folder
        self._about = about
        self._keep = keep
        self._clock = clock  # in s
        self._started = clock()
        self._summary = Summary(about)
        self._work: Work | None = None  # once it is known what is to be done
        self._phase = "checking outputs"
        self._introduced = False
        self._loaded = False  # is a worker ready?
        self._num_lines = 0  # that have been said
        self._line_of: dict[str, int] = {}  # which of them is a failure, by the name of its source
        self._quiet = options.progress == "off"
        self._display = self._chosen(options.progress)
        self._ticker = Ticker(self._tick)

    def _chosen(self, kind: str) -> Display:
        if kind == "off":
            return Display()
        if kind == "bar" or (kind == "auto" and sys.stderr.isatty()):
            return Bar()
        return Log(self.say)

    def __enter__(self) -> Progress:
        if not self._quiet:
            for note in self._about.notes:
                self.say(note)
            self._ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ticker.stop()
        self._display.close(self._status)
        if self._summary.counts or kind is None:
            in_view = {name for name, line in self._line_of.items() if line >= self._num_lines - IN_VIEW}
            text = self._summary.text(self._clock() - self._started, in_view)
            self.say(text, f"{self.failed} failed" if self.failed else "")
            self._list_failures()
        if isinstance(error, OutputError):
            number = self._status.of - self._status.ended
            left = "1 source is" if number == 1 else f"{number} sources are"
            raise OutputError(f"{error}; {left} left, and the same command goes on from there") from error

    @property
    def failed(self) -> int:
        return self._summary.counts["failed"]

    def begin(self, sources: Sequence[Source]) -> None:
        """These are to be extracted; all others have been added."""
        with turn():
            self._work, self._phase = Work(sources), "starting"
        if not sources:
            self._introduce(None)

    def tell(self, worker: str, news: object) -> None:
        """As `Tell`."""
        assert self._work
        if isinstance(news, Devices):
            self._introduce(news)
        with turn():
            if isinstance(news, Loading) and not self._loaded:
                self._phase = f"loading {news.what}"
            elif isinstance(news, Position):
                self._loaded, self._phase = True, news.doing
                self._work.heard(worker, news.sources, self._clock())
            elif isinstance(news, Computed):
                self._work.computed(news.source, news.media_seconds, self._clock())

    def add(self, outcome: Outcome) -> None:
        """Of a source that has been extracted or, before `begin`, will not be."""
        with turn():
            self._summary.add(outcome)
            if self._work:
                self._work.ended(outcome.source, outcome.media_seconds, self._clock())
        if outcome.printed:
            self._print(outcome.printed)
        if outcome.message and not self._quiet:
            self._line_of[outcome.source.name] = self._num_lines
            self.say(f"{outcome.status}: {naming.label(outcome.source)}: {outcome.message}", "failed:")

    def add_missing(self, outcomes: Sequence[Outcome]) -> None:
        """Of sources whose files are not there: one line for all of them."""
        with turn():
            self._summary.add_missing(outcomes)
        self._say_untried(outcomes, "missing")

    def add_known(self, outcomes: Sequence[Outcome]) -> None:
        """Of sources that failed before and are not tried again: one line for all of them."""
        with turn():
            self._summary.add_known(outcomes)
        self._say_untried(outcomes, "known to fail and not tried", "; retry=all tries all that failed")

    def _say_untried(self, outcomes: Sequence[Outcome], what: str, hint: str = "") -> None:
        if outcomes and not self._quiet:
            self._line_of[outcomes[0].source.name] = self._num_lines
            count = "1 source is" if len(outcomes) == 1 else f"{len(outcomes)} sources are"
            self.say(f"{count} {what}, e.g. {naming.label(outcomes[0].source)}: {outcomes[0].message}{hint}")

    def say(self, text: str, failure: str = "") -> None:
        """A line, or several; what tells of a failure stands out in it."""
        shown = text.replace(failure, styled(failure, "bold", "red", stream=sys.stderr), 1) if failure else text
        with tqdm.external_write_mode(file=sys.stderr):
            print(shown, file=sys.stderr, flush=True)
            self._num_lines += text.count("\n") + 1
            self._keep(text)

    def _print(self, text: str) -> None:
        """To stdout. Raises TorchZooError if that is not possible: its reader is gone (`| head`), or a disk is full."""
        try:
            with tqdm.external_write_mode(file=sys.stdout):
                print(text.encode(errors="backslashreplace").decode(), flush=True)  # file names may hold any bytes
                self._num_lines += sys.stdout.isatty() * (text.count("\n") + 1)
        except OSError as error:
            raise TorchZooError(f"stdout: {error.strerror}; the features of this run can't be printed") from error

    def _introduce(self, devices: Devices | None) -> None:
        if not self._quiet and self._work and not self._introduced:
            self._introduced = True
            number = self._summary.counts.total() + self._work.num_sources
            self.say(self._about.opening(devices, number, self._summary.counts["skipped"]))

    def _tick(self) -> None:
        self._display.show(self._status)

    @property
    def _status(self) -> Status:
        now, work = self._clock(), self._work or Work([])
        return Status(
            phase="" if work.media_seconds else self._phase,
            ended=work.num_ended,
            of=work.num_sources,
            failed=self.failed,
            share=work.share,
            rate=work.rate(now),
            seconds=now - self._started,
            left=work.seconds_left(now),
        )

    def _list_failures(self) -> None:
        if not self._about.destination:
            return
        try:
            file = self._summary.list_failures(self._folder)
        except OSError as cause:
            file = storage.join(self._folder, failures.FILE_NAME)
            self.say(f"{file} can't be written: {storage.reason(cause)}")
        else:
            if self.failed:
                self.say(f"what failed is listed in {file}; retry=failed tries it again")
