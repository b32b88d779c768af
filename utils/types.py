"""The types that flow: paths become sources, sources windows, windows features, features files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np

Status = Literal["done", "skipped", "empty", "failed", "missing"]


class TorchZooError(Exception):
    """The base of all errors that are raised on purpose; the message is for people, in one line where it can be."""


class UsageError(TorchZooError):
    """The options or inputs are wrong; the message says which and what to do. Ends the run before any work."""


class MediaError(TorchZooError):
    """A source that can't be read; the message says what is wrong with it, without its path."""


class OutputConflictError(TorchZooError):
    """Outputs of the source's name were made from something else; the message says from what and what to do."""


class WorkerError(TorchZooError):
    """A worker could not be started, or what the workers wrote not be completed; ends the run."""


@dataclass(frozen=True, slots=True)
class Source:
    """One piece of work: a media file, or a segment of one."""

    path: str  # as the user wrote it
    name: str  # stem of every output file; unique in a run
    start: float = 0.0  # s
    end: float | None = None  # s, None = to the end
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)  # what else the list says of it


@dataclass(frozen=True, slots=True)
class Windows:
    """A run of consecutive network inputs from one source."""

    data: np.ndarray  # (n, *window_shape)
    times: np.ndarray  # (n, 2) float64, start and end of each window, s; more columns where a later stage needs them
    metadata: Mapping[str, np.ndarray] = field(default_factory=dict)  # of the whole source, e.g. its frame rate

    def __post_init__(self) -> None:
        if self.times.ndim != 2 or len(self.times) != len(self.data):
            raise ValueError(f"{len(self.data)} windows need times ({len(self.data)}, 2), not {self.times.shape}")


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a network's classifier says of each window of a source."""

    logits: Mapping[str, np.ndarray]  # by stream or head, each (T, classes)
    classes: Sequence[str]  # names, in the order of the logits


@dataclass(frozen=True, slots=True)
class Features:
    """What one source became."""

    source: Source
    arrays: Mapping[str, np.ndarray]  # key -> (T, D); the key ends the file name
    times: np.ndarray  # (T, 2) float64, s
    predictions: Predictions | None = None  # of show_pred=true; a sink prints or stores them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the parent process learns of one source."""

    source: Source
    status: Status
    message: str = ""  # why it failed, or what a person should know of it
    printed: str = ""  # what the sink has for stdout
    media_seconds: float = 0.0  # covered by its windows
    statistics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # of its arrays, by name (utils/runs)
    attempt: str = ""  # a digest of what it was tried with (utils/attempts.py), where its content is why it failed


# Starts the computing of a batch (n, *window_shape); what it returns waits for the outputs, each (n, ...).
Forward = Callable[[np.ndarray], Callable[[], Mapping[str, np.ndarray]]]


class Assembler(Protocol):
    """Turns what one stage makes of a source into the windows of the next stage. There is one per source."""

    def add(self, outputs: Mapping[str, np.ndarray], times: np.ndarray) -> Iterator[Windows]:
        """Rows of outputs (n, ...) and the times of their windows, in order."""

    def end(self, metadata: Mapping[str, np.ndarray]) -> Iterator[Windows]:
        """All rows have come; the metadata are those of the source."""


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.empty(shape, dtype)


@dataclass(frozen=True, slots=True)
class Stage:
    """A network on its device, and how it is fed."""

    forward: Forward
    batch_size: int  # windows per forward pass that suit the device
    assembler: Callable[[], Assembler] | None = None  # for all stages but the first, which gets the extractor's windows
    allocate: Callable[[tuple[int, ...], np.dtype], np.ndarray] = empty  # memory for a batch, e.g. pinned
    busy_seconds: Callable[[], float] | None = None  # how long the device has computed so far, if that is measured


@dataclass(frozen=True, slots=True)
class Timing:
    """How the rows of a source follow each other, in the numbers that training codes such as ActionFormer ask for."""

    num_frames: int  # frames per row: pictures, columns of a spectrogram, or samples
    feat_stride: int  # frames from one row to the next
    fps: float | None  # frames per second; None = those of each file


@dataclass(frozen=True, slots=True)
class AddedSetting:
    """A setting that an earlier version did not have."""

    value: object
    before: object  # what the features of versions without it correspond to


class Extractor(Protocol):
    """Turns a source into windows and network outputs into features. Light to build, cheap to send to a worker."""

    @property
    def arrays(self) -> Mapping[str, np.dtype]:
        """Name and type of the arrays each source yields.

        A type with a shape, e.g. np.dtype((np.float32, 128)), is that of a row: the array has it in each of its rows.
        """

    @property
    def settings(self) -> Mapping[str, object]:
        """Everything the values depend on, in plain YAML types; two runs may share a folder only if it is equal.

        A setting that did not exist in earlier versions is an AddedSetting, so that their folders stay usable.
        """

    @property
    def timing(self) -> Timing | None:
        """How the rows follow each other; None if a source has one row only."""

    @property
    def empty_message(self) -> str:
        """What to tell of a source that has no window."""

    def load(self, device: str, threads: int) -> Sequence[Stage]:
        """Build the networks with their weights on `device` (a CPU: on `threads` cores); called once in each worker."""

    def windows(self, source: Source) -> Iterator[Windows]:
        """Decode lazily, in a process where nothing has been loaded. Raises MediaError."""

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        """Post-process a source: outputs of all its windows, none if it has no window, and their metadata."""


Commit = Callable[[], None]  # does what cannot be undone; raises UsageError
Tell = Callable[[str, object], None]  # a worker, or "" for the engine, and what it tells (utils/engines/news.py)


def no_op(*_: object) -> None:
    """As a Commit or a Tell: nothing happens."""


class Sink(ABC):
    """Where features go. A sink must `write`; one that stores features also says what it has.

    The driver calls `prepare`, `has` and `finish`. Each worker has a copy, on which `expect` and, after
    `open`, `write` and `flush` are called. A worker may be killed at any time, and runs nothing at its exit.
    """

    stores_predictions: ClassVar[bool] = False  # Features.predictions: the extractor is built with show_pred=true

    @property
    def destination(self) -> str:
        """The folder or file that a person will look for; empty where nothing is stored."""
        return ""

    @abstractmethod
    def write(self, features: Features) -> str:
        """Store the features of a source, atomically; returns what is to be printed on stdout. Raises OSError.

        A sink that stores many sources at a time may keep them until it has enough: then it is `buffered`.
        """

    @property
    def buffered(self) -> bool:
        """Does this copy hold features that are not stored yet? Their sources do not count as done until it is False.

        A `write` or `flush` that raises leaves it True.
        """
        return False

    def flush(self) -> None:
        """Store what is buffered; called when a worker has nothing else to do. Raises OSError."""

    def expect(self, source: Source) -> None:
        """Called in a worker that is given a source, before it is decoded: what takes time may begin."""

    def open(self, token: str) -> None:
        """Called once in each worker, before its first `write`.

        `token` is unique to the worker, over all machines; files that it keeps open or writes in part are named by it.
        """

    def prepare(
        self, settings: Mapping[str, object], sources: Sequence[Source], arrays: Mapping[str, np.dtype], overwrite: bool
    ) -> Commit:
        """Before the run: may such features be added to what is there? Raises UsageError if not.

        What it returns is called when a worker is ready, before it writes; only that may remove what is overwritten.
        """
        return no_op

    def has(self, source: Source, arrays: Mapping[str, np.dtype]) -> bool:
        """Are all its outputs complete and readable? Raises OutputConflictError if they are of another file or part."""
        return False

    def finish(self) -> None:
        """After the run, also an interrupted one: merge what workers wrote. May raise WorkerError."""
