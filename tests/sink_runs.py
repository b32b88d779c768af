"""Runs of a sink without an engine: a driver, and workers that are copies of it, as after a pickle."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import count

from table_maker import FLOATS, SETTINGS

from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.types import Features

TOKENS = (f"host-{number}" for number in count())


def run(sink: FolderSink, *all_features: Features, overwrite: bool = False, killed: bool = False) -> list[str]:
    """A run with one worker; returns the names of the sources that it extracted.

    A worker that is `killed` has written everything and is given no time to store what it holds.
    """
    sources = [each.source for each in all_features]
    commit = sink.prepare(SETTINGS, sources, FLOATS, overwrite)
    todo = [each for each in all_features if overwrite or not sink.has(each.source, FLOATS)]
    commit()
    worker = begun(sink)
    for each in todo:
        worker.write(each)
    if not killed:
        worker.flush()
    end(worker)
    sink.finish()
    return [each.source.name for each in todo]


def begun(sink: FolderSink) -> FolderSink:
    """What a worker gets of a sink that the driver has prepared."""
    worker: FolderSink = pickle.loads(pickle.dumps(sink))
    worker.open(next(TOKENS))
    return worker


def end(worker: FolderSink) -> None:
    """Close what the system closes when a process exits."""
    if journal := getattr(getattr(worker, "waiting", None), "journal", None):
        journal.close()
    worker.provenance.close()


def done(sink: FolderSink, all_features: Sequence[Features]) -> list[str]:
    """The names of the sources that a new run would skip."""
    sink.prepare(SETTINGS, [each.source for each in all_features], FLOATS, overwrite=False)
    return [each.source.name for each in all_features if sink.has(each.source, FLOATS)]
