"""How much the outputs will take, from a few made-up ones that the sink stores in a temporary folder."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.dry_run.probing import Finding
from torch_zoo.utils.dry_run.sampling import spread
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.types import Features, Source

SAMPLE = 8  # sources
FEW, MANY = 1, 101  # rows


def output_bytes(findings: Sequence[Finding], sink: FolderSink, arrays: Mapping[str, np.dtype]) -> float:
    """The bytes of the outputs of sources with a known number of rows. Raises UsageError and OSError."""
    rows = [(each.source, each.probe.rows) for each in findings if each.probe and each.probe.rows is not None]
    if not rows:
        return 0.0
    sample = spread([source for source, _ in rows], SAMPLE)
    few, many = (_stored(sample, sink, arrays, number) / len(sample) for number in (FEW, MANY))
    per_row = (many - few) / (MANY - FEW)
    return (few - FEW * per_row) * len(rows) + per_row * sum(number for _, number in rows)


def _stored(sources: Sequence[Source], sink: FolderSink, arrays: Mapping[str, np.dtype], rows: int) -> int:
    """What outputs of these sources take, besides what the folder needs without any."""
    generator = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        copy = replace(sink, folder=folder, dry_run=False)
        copy.prepare({}, [], arrays, False)()  # the run's own checks have been made of its sources
        before = _size(folder)
        copy.open(secrets.token_hex(4))
        for source in sources:
            made = {key: _random(generator, rows, row) for key, row in arrays.items()}
            copy.write(Features(source, made, np.arange(2.0 * rows).reshape(rows, 2)))
        copy.flush()
        copy.finish()
        return _size(folder) - before


def _random(generator: np.random.Generator, rows: int, row: np.dtype) -> np.ndarray:
    """Values that can't be compressed, (rows, *row.shape)."""
    shape = (rows, *row.shape)
    values = generator.normal(size=shape) if row.base.kind == "f" else generator.integers(0, 256, shape)
    return values.astype(row.base)


def _size(folder: str) -> int:
    return sum(stamp.size or 0 for stamp in storage.listing(folder).values())
