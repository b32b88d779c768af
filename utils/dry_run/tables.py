"""All findings as a table, one row per source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.dry_run.probing import Finding
from torch_zoo.utils.sinks.containers.entries import utf8
from torch_zoo.utils.urls import without_secrets

if TYPE_CHECKING:
    import pyarrow as pa


def write_table(path: str, findings: Sequence[Finding], arrays: Mapping[str, np.dtype]) -> None:
    """Write it as a whole. Raises OSError."""
    import pyarrow.csv
    import pyarrow.parquet

    table = _table(findings, arrays)
    with storage.atomic_write(path) as file:
        if path.endswith(".csv"):
            pyarrow.csv.write_csv(table, file)
        else:
            pyarrow.parquet.write_table(table, file)


def shapes(finding: Finding, arrays: Mapping[str, np.dtype]) -> str:
    """Of the arrays whose rows have one, e.g. rgb (12, 1024), flow (12, 1024)."""
    rows = finding.probe.rows if finding.probe else None
    if rows is None:
        return ""
    return ", ".join(f"{key} {(rows, *row.shape)}" for key, row in arrays.items() if row.shape)


def _table(findings: Sequence[Finding], arrays: Mapping[str, np.dtype]) -> pa.Table:
    """The first columns make it a list of media."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    sources, probes = [each.source for each in findings], [each.probe for each in findings]
    columns = {
        "path": ([utf8(without_secrets(each.path)) for each in sources], text),
        "start": ([each.start for each in sources], number),
        "end": ([each.end for each in sources], number),
        "name": ([utf8(each.name) for each in sources], text),
        "finding": ([each.kind for each in findings], text),
        "message": ([utf8(each.message) for each in findings], text),
        "fails": ([each.fails for each in findings], pa.bool_()),
        "streams": ([each and each.streams for each in probes], text),
        "rate": ([each and each.rate for each in probes], number),
        "seconds": ([each and each.seconds for each in probes], number),
        "rows": ([each and each.rows for each in probes], pa.int64()),
        "exact": ([each and each.exact for each in probes], pa.bool_()),
        "shapes": ([shapes(each, arrays) for each in findings], text),
    }
    return pa.table({name: pa.array(values, kind) for name, (values, kind) in columns.items()})
