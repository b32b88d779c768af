"""What a person is shown of a dry run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import get_args

import numpy as np

from torch_zoo.utils import naming
from torch_zoo.utils.dry_run.probing import Finding, Kind
from torch_zoo.utils.dry_run.tables import shapes

FAILURES_SHOWN = 20


def overview(findings: Sequence[Finding], arrays: Mapping[str, np.dtype]) -> Iterator[str]:
    """Lines: how many sources there are of each kind, with an example, then those that would fail."""
    yield f"{'finding':<15} {'sources':>9}  example"
    for kind in get_args(Kind):
        if alike := [each for each in findings if each.kind == kind]:
            yield f"{kind:<15} {len(alike):>9,}  {_example(alike[0], arrays)}"
    failing = [each for each in findings if each.fails]
    if failing:
        yield f"{len(failing):,} would fail:"
        yield from (f"  {naming.label(each.source)}: {each.message}" for each in failing[:FAILURES_SHOWN])
        if len(failing) > FAILURES_SHOWN:
            yield f"  and {len(failing) - FAILURES_SHOWN:,} more"


def amount(findings: Sequence[Finding]) -> str:
    """How much there is to extract."""
    todo = [each.probe for each in findings if each.probe]
    known = [(each.seconds, each.rows) for each in todo if each.seconds is not None and each.rows is not None]
    seconds, rows = sum(seconds for seconds, _ in known), sum(rows for _, rows in known)
    about = "" if all(each.exact for each in todo) else "about "
    unknown = f", and {len(todo) - len(known):,} sources of unknown length" if len(known) < len(todo) else ""
    return f"to extract: {about}{timedelta(seconds=round(seconds))} of media, {about}{rows:,} rows{unknown}"


def about_bytes(number: float) -> str:
    """Two digits and a unit: 53 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.2g} {unit}" if number < 10 else f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def about_seconds(number: float) -> str:
    """Two digits and a unit: 12 min."""
    for unit, length in (("h", 3600), ("min", 60)):
        if number >= 1.5 * length:
            return f"{number / length:.2g} {unit}" if number < 10 * length else f"{number / length:,.0f} {unit}"
    return f"{number:.2g} s" if number < 10 else f"{number:.0f} s"


def _example(finding: Finding, arrays: Mapping[str, np.dtype]) -> str:
    found = [finding.message]
    if probe := finding.probe:
        about = "" if probe.exact else "about "
        length = "unknown length" if probe.seconds is None else f"{about}{probe.seconds:.2f} s"
        found += [probe.streams, length, shapes(finding, arrays)]
    described = "; ".join(filter(None, found))
    return f"{naming.label(finding.source)}: {described}" if described else naming.label(finding.source)
