"""The record of a run, beside its features: `runs/<time>/run.json` and `run.log`, and `runs/report.html`.

It begins when the first worker is ready, so that nothing is written of runs that never start, and costs the start
nothing. A run that is killed leaves what it had; no run fails because of its record.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from types import TracebackType
from typing import Any, Literal

from tqdm import tqdm

from torch_zoo.utils import storage
from torch_zoo.utils.engines.news import Forward, Load, LogLine
from torch_zoo.utils.runs.disclosure import disclosed
from torch_zoo.utils.runs.log import RunLog, stamped
from torch_zoo.utils.runs.machine import machine, versions
from torch_zoo.utils.runs.tally import Tally
from torch_zoo.utils.types import Outcome, TorchZooError

log = logging.getLogger("torch_zoo")

FOLDER, JSON, LOG, REPORT = "runs", "run.json", "run.log", "report.html"
TIME = "%Y-%m-%dT%H:%M:%SZ"
SAVE_SECONDS = 30.0  # from one save to the next
SAVE_SHARE = 0.02  # of the driver's time that saving may take, where that makes them rarer
LONG_SECONDS = 60.0  # from which on a run gets a report by itself


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Options as in configs/config.yaml."""

    folder: str
    report: Literal["auto", "always", "never"] = "auto"


class RunRecord:
    """Takes what the driver of a run learns and says; `kept` is False where no features are stored.

    `given` are the options as the user wrote them, `resolved` all of them.
    """

    def __init__(
        self,
        options: Recording,
        kept: bool,
        feature_type: str,
        given: Mapping[str, Any],
        resolved: Mapping[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._kept = kept
        self._clock = clock  # in s
        self._given, self._resolved = given, resolved
        self._tally = Tally()
        began = datetime.now(timezone.utc)
        place = f"{began:%Y%m%dT%H%M%S}.{began.microsecond // 1000:03}Z-{secrets.token_hex(6)}"  # no other run has it
        self._folder = storage.join(options.folder, FOLDER, place)
        self._started = self._due = clock()
        self._early = [stamped(f"began {began:{TIME}}")]  # lines of the log, until there is a file
        self._log: RunLog | None = None
        self._writing = threading.Lock()  # several threads say something
        self._head: dict[str, object] = {"feature_type": feature_type, "began": f"{began:{TIME}}"}
        self._handler = Forward(self._warn)

    def __enter__(self) -> RunRecord:
        log.addHandler(self._handler)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._log:
            how = "" if error is None else _described(error)
            self.say(how or "completed")
            self._tally.sample(self._seconds)
            self._attempt(lambda: self._save("completed" if error is None else _status(error), how))
        log.removeHandler(self._handler)
        if self._log and error is None and self._wants_report:
            self._report()

    def add(self, outcome: Outcome) -> None:
        self._tally.add(outcome, self._seconds)

    def add_untried(self, outcomes: Sequence[Outcome]) -> None:
        """Of sources whose files are not there, or that failed before."""
        for outcome in outcomes:
            self._tally.count(outcome)

    def tell(self, worker: str, news: object) -> None:
        """As `Tell`."""
        if isinstance(news, Load):
            self._tally.heard(worker, news, self._seconds)
            if self._kept and self._clock() >= self._due:
                self._attempt(lambda: self._save("running", ""))
        elif isinstance(news, LogLine):
            self._warn(f"{worker}: {news.text}")

    def say(self, text: str) -> None:
        """Something that has been shown."""
        self._attempt(partial(self._write, stamped(text)))

    def _write(self, lines: str) -> None:
        with self._writing:
            if self._log:
                self._log.write(lines)
            elif self._kept:
                self._early.append(lines)

    def _warn(self, text: str) -> None:
        """Something that has been logged, and is to be shown."""
        with tqdm.external_write_mode(file=sys.stderr):  # a bar may be there
            print(text, file=sys.stderr, flush=True)
        self.say(text)

    @property
    def _seconds(self) -> float:
        return self._clock() - self._started

    @property
    def _wants_report(self) -> bool:
        report = self._options.report
        return report == "always" or (report == "auto" and self._seconds >= LONG_SECONDS)

    def _save(self, status: str, how: str) -> None:
        began = self._clock()
        folder = self._options.folder
        if not storage.is_url(folder) and not storage.exists(folder):  # it would be made again
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
        if not self._log:
            self._begin()
        assert self._log
        now = {"status": status, "error": how, "seconds": round(self._seconds, 3)}
        content = {**self._head, **now, **self._tally.content()}
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in content.items())
        with storage.atomic_write(storage.join(self._folder, JSON)) as file:
            file.write(f"{{\n{lines}\n}}\n".encode())
        with self._writing:
            self._log.save()
        ended = self._clock()
        self._due = ended + max(SAVE_SECONDS, (ended - began) / SAVE_SHARE)
        if status != "running":
            self._log.close()

    def _begin(self) -> None:
        with self._writing:
            self._log = RunLog(storage.join(self._folder, LOG))
            self._log.write("".join(self._early))
            self._early.clear()
        self._head |= {
            "options": {"given": disclosed(self._given), "resolved": disclosed(self._resolved)},
            "versions": versions(),
            "machine": machine(),
        }

    def _attempt(self, action: Callable[[], object]) -> None:
        """Keep the record, or give it up where that is impossible."""
        try:
            action()
        except OSError as error:
            self._kept, self._log = False, None
            log.warning("%s can't be written (%s); the run has no further record", self._folder, storage.reason(error))

    def _report(self) -> None:
        try:
            from torch_zoo.utils.reports.run_page import write_report

            path = write_report(self._options.folder)
        except Exception as error:  # whatever a plot, a folder or a record may raise: the features are there
            print(f"no report of the run: {error}", file=sys.stderr)
        else:
            print(f"the report is {path}", file=sys.stderr)


def _described(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return f"error: {error}" if isinstance(error, TorchZooError) else f"{type(error).__name__}: {error}"


def _status(error: BaseException) -> str:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
