"""Windows of many sources -> batches -> one stage after the other -> features, written; on one device.

It knows no transport and starts no process: whoever has windows calls it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from torch_zoo.utils.engines.batching import Batch, Batcher, Outputs, Rows
from torch_zoo.utils.engines.decoder import Duration, reported
from torch_zoo.utils.engines.news import Reached
from torch_zoo.utils.runs.statistics import statistics
from torch_zoo.utils.types import Assembler, Extractor, Features, Outcome, OutputError, Source, Stage, Windows, no_op

NOWHERE = Reached()
BATCHES_IN_FLIGHT = 2
LONG_SECONDS = 0.5  # in flight, after which a batch is waited for although more windows are to come


@dataclass(frozen=True, slots=True)
class Ended:
    """All windows of a source have come, or what is wrong with it."""

    error: str = ""
    attempt: str = ""  # as in Outcome


@dataclass(frozen=True, slots=True)
class Retried:
    """The decoder of a source crashed: the windows that came so far are void, and they may come again."""


Event = Windows | Duration | Ended | Retried


@dataclass(eq=False, slots=True)
class Job:
    """A source in progress."""

    source: Source
    rows: list[Rows]  # of each stage
    assemblers: list[Assembler]  # between the stages
    metadata: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: list[Outputs] = field(default_factory=list)  # of the last stage, in order
    times: list[np.ndarray] = field(default_factory=list)
    reached: Reached = NOWHERE
    over: bool = False  # finished, failed or dropped

    def arrays(self) -> dict[str, np.ndarray]:
        """Outputs of all windows, if there were any, and the metadata."""
        keys = self.outputs[0] if self.outputs else ()
        return self.metadata | {key: np.concatenate([part[key] for part in self.outputs]) for key in keys}

    def spans(self) -> np.ndarray:
        """Start and end of all windows of the last stage, (T, 2) s."""
        return np.concatenate(self.times) if self.times else np.zeros((0, 2))


@dataclass(frozen=True, slots=True)
class _InFlight:
    """A batch that is being computed."""

    stage: int
    batch: Batch
    wait: Callable[[], Outputs]
    since: float  # s of the monotonic clock


class Pipeline:
    """Runs the stages of an extractor. Outcomes of sources are passed to `emit` as they come; `progressed` is called
    when a batch has been started or computed.

    What a network raises is not caught: after it, this device can't be trusted. Nor is an OutputError of `write`.
    """

    def __init__(
        self,
        extractor: Extractor,
        stages: Sequence[Stage],
        batch_size: int | None,
        write: Callable[[Features], str],
        emit: Callable[[Outcome], None],
        progressed: Callable[[], None] = no_op,
    ) -> None:
        self._extractor = extractor
        self._stages = stages
        last = len(stages) - 1
        sizes = [batch_size or stage.batch_size if at == last else stage.batch_size for at, stage in enumerate(stages)]
        self._batchers = [Batcher(size, stage.allocate) for size, stage in zip(sizes, stages, strict=True)]
        self._write = write
        self._emit = emit
        self._progressed = progressed
        self._sources: dict[str, Job] = {}  # whose windows are still coming, by name
        self._jobs: dict[Rows, Job] = {}  # whose rows
        self._in_flight: deque[_InFlight] = deque()
        self._assembled: deque[tuple[Job, int, Windows | None]] = deque()  # for later stages; None ends them

    def take(self, source: Source, event: Event) -> None:
        """What a decoder has to say of a source. Windows are copied into batches; full ones are started."""
        if source.name not in self._sources:
            self._begin(source)
        job = self._sources[source.name]
        if isinstance(event, Windows):
            job.metadata |= event.metadata
            self._batch(job, 0, event)
            self._advance()
            return
        if isinstance(event, Duration):
            job.reached = replace(job.reached, duration=event.seconds)
            return
        del self._sources[source.name]
        if isinstance(event, Ended) and not event.error:
            job.rows[0].ended = True
            self._close(job, 0)
            self._advance()
            return
        self._forget(job)
        if isinstance(event, Ended):
            self._emit(Outcome(source, "failed", event.error, attempt=event.attempt))

    @property
    def reached(self) -> dict[str, Reached]:
        """How far each source is, by name; those of which nothing is known are left out."""
        return {job.source.name: job.reached for job in self._jobs.values() if job.reached != NOWHERE}

    @property
    def busy(self) -> bool:
        """Is a batch in flight?"""
        return bool(self._in_flight)

    def settle(self, more_to_come: bool) -> bool:
        """Use the time in which no windows come; returns False if there is nothing to do.

        If more are to come, only a batch that has been in flight for long is waited for: decoders that have to wait for
        their next source could not fill the next batch in time. Otherwise incomplete batches are started as well.
        """
        if not more_to_come:
            self._flush()
        if not self._in_flight or (more_to_come and time.monotonic() - self._in_flight[0].since < LONG_SECONDS):
            return False
        self._collect()
        self._advance()
        return True

    def _begin(self, source: Source) -> None:
        assemblers = [stage.assembler() for stage in self._stages if stage.assembler]
        job = Job(source, [Rows() for _ in self._stages], assemblers)
        self._sources[source.name] = job
        self._jobs |= dict.fromkeys(job.rows, job)

    def _flush(self) -> None:
        """Start what waits for the first stage that still gets something."""
        for stage, batcher in enumerate(self._batchers):
            started = False
            for batch in batcher.flush():
                self._start(stage, batch)
                started = True
            if started or any(each.stage <= stage for each in self._in_flight):
                return

    def _advance(self) -> None:
        """Windows of later stages into their batches."""
        while self._assembled:
            job, stage, windows = self._assembled.popleft()
            if windows is not None:
                self._batch(job, stage, windows)
            else:
                job.rows[stage].ended = True
                self._close(job, stage)

    def _batch(self, job: Job, stage: int, windows: Windows) -> None:
        if job.over:
            return
        for batch in self._batchers[stage].add(job.rows[stage], windows):
            self._start(stage, batch)

    def _start(self, stage: int, batch: Batch) -> None:
        """Batches overlap: while one is computed, the next one is handed to the device."""
        while len(self._in_flight) >= BATCHES_IN_FLIGHT:
            self._collect()
        self._in_flight.append(_InFlight(stage, batch, self._stages[stage].forward(batch.data), time.monotonic()))
        self._progressed()

    def _collect(self) -> None:
        """Wait for the oldest batch and scatter its outputs."""
        oldest = self._in_flight.popleft()
        stage, batch, outputs = oldest.stage, oldest.batch, oldest.wait()
        self._batchers[stage].recycle(batch)
        for part, rows in batch.scatter(outputs):
            job = self._jobs.get(part.rows)
            if job is None:  # failed or dropped meanwhile
                continue
            for ready, times in part.rows.in_order(part, rows):
                if stage == 0:
                    job.reached = replace(job.reached, seconds=float(times.max()) - job.source.start)
                if stage == len(self._stages) - 1:
                    job.outputs.append(ready)
                    job.times.append(times[:, :2])
                else:
                    self._assemble(job, stage, job.assemblers[stage].add(ready, times))
            self._close(job, stage)
        self._progressed()

    def _assemble(self, job: Job, stage: int, windows: Iterator[Windows]) -> None:
        self._assembled.extend((job, stage + 1, each) for each in windows)

    def _close(self, job: Job, stage: int) -> None:
        """Pass on that no more rows will come, if that is so."""
        rows = job.rows[stage]
        if not rows.finished or rows.closed or job.over:
            return
        rows.closed = True
        if stage == len(self._stages) - 1:
            self._finish(job)
        else:
            self._assemble(job, stage, job.assemblers[stage].end(job.metadata))
            self._assembled.append((job, stage + 1, None))

    def _finish(self, job: Job) -> None:
        self._forget(job)
        spans = job.spans()
        try:
            features = self._extractor.features(job.source, job.arrays(), spans)
            printed = self._write(features)
        except OutputError:
            raise
        except Exception as error:
            self._emit(Outcome(job.source, "failed", reported(error, job.source.path)))
        else:
            if len(spans):
                covered = float(spans[-1, 1]) - job.source.start
                self._emit(Outcome(job.source, "done", "", printed, covered, statistics(features.arrays)))
            else:
                self._emit(Outcome(job.source, "empty", self._extractor.empty_message, printed))

    def _forget(self, job: Job) -> None:
        job.over = True
        for rows in job.rows:
            self._jobs.pop(rows, None)
