"""Plots of a run's record: what happened over time, and how durations and norms are distributed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from torch_zoo.utils.reports.figures import ACCENT, INK, MUTED, SECOND

BINS = 60  # of the time axis
Bins = Sequence[Sequence[float]]  # both edges and the count of each

Columns = Mapping[str, np.ndarray]


def columns(over_time: Mapping[str, Any]) -> Columns:
    """The samples of a record, by column."""
    samples = np.array(over_time["samples"], dtype=float).reshape(-1, len(over_time["columns"]))
    return dict(zip(over_time["columns"], samples.T, strict=True))


def mean_rate(found: Columns) -> float:
    """Seconds of media per second, from the first sample on."""
    seconds, media = (found[name][-1] - found[name][0] for name in ("seconds", "media_seconds"))
    return media / max(1e-9, seconds)


def throughput(found: Columns, axes: Any) -> None:
    edges, rate = _rate(found["seconds"], found["media_seconds"])
    scale = _time_axis(axes, edges[-1])
    axes.stairs(rate, edges / scale, color=ACCENT, alpha=0.16, fill=True, linewidth=0)
    axes.stairs(rate, edges / scale, color=ACCENT, linewidth=1.6, baseline=None)
    axes.axhline(mean_rate(found), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.set(ylabel="s of media per s")
    axes.set_ylim(bottom=0)


def progress(found: Columns, axes: Any) -> None:
    scale = _time_axis(axes, found["seconds"][-1])
    time = found["seconds"] / scale
    axes.plot(time, found["tried"], color=ACCENT, linewidth=1.6, label="tried")
    axes.plot(time, found["failed"], color=SECOND, linewidth=1.6, label="failed")
    axes.set_ylim(bottom=0)
    axes.yaxis.get_major_locator().set_params(integer=True)
    _legend_above(axes)


def shares(found: Columns, axes: Any) -> None:
    """Of the workers' time: how much of it their devices computed, and how much they waited for windows."""
    news = np.flatnonzero(np.diff(found["worker_seconds"], prepend=-1) > 0)
    elapsed = found["worker_seconds"][news]
    for name, label, color in (
        ("busy_seconds", "device computes", ACCENT),
        ("waiting_seconds", "waits for windows", SECOND),
    ):
        edges, spent = _rate(elapsed, found[name][news])
        seconds = np.interp(edges, elapsed, found["seconds"][news])
        scale = _time_axis(axes, found["seconds"][-1])
        axes.stairs(100 * np.clip(spent, 0, 1), seconds / scale, color=color, linewidth=1.6, baseline=None, label=label)
    axes.set(ylabel="% of the workers' time", ylim=(0, 104))
    _legend_above(axes)


def queues(found: Columns, axes: Any) -> None:
    scale = _time_axis(axes, found["seconds"][-1])
    time = found["seconds"] / scale
    axes.plot(time, found["decoders"], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="decoders")
    axes.plot(time, found["ready"], color=ACCENT, linewidth=1.6, drawstyle="steps-post", label="with windows ready")
    axes.plot(time, found["sources"], color=SECOND, linewidth=1.6, drawstyle="steps-post", label="sources held")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)
    _legend_above(axes)


def histogram(label: str, bins: Mapping[str, Bins], axes: Any) -> None:
    """Bins with logarithmic edges, of one or more named distributions."""
    for (name, each), color in zip(bins.items(), (ACCENT, SECOND, MUTED, INK), strict=False):
        low, high, counts = np.array(each).T
        axes.bar(low, counts, high - low, align="edge", color=color, alpha=0.8 if len(bins) == 1 else 0.5, label=name)
    axes.set_xscale("log")
    axes.minorticks_off()
    ticks = _ticks(*axes.get_xlim())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel=label, ylabel="sources")
    if len(bins) > 1:
        _legend_above(axes)


def _ticks(low: float, high: float) -> Sequence[float]:
    """Round numbers for a logarithmic axis, as few of them as make sense."""
    for steps in ((1,), (1, 2, 5), range(1, 10), [1 + step / 10 for step in range(90)]):
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [round(step * 10.0**exponent, 12) for exponent in exponents for step in steps]
        within = [tick for tick in found if low <= tick <= high]
        if len(within) >= 3:
            break
    return within[:: -(-len(within) // 8)]


def _legend_above(axes: Any) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, columnspacing=1.2, handlelength=1.4)


def _rate(x: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How fast a total grows with x: edges of bins, and the slope in each."""
    edges = np.linspace(x[0], x[-1], min(BINS, max(1, len(x) - 1)) + 1)
    width = max(1e-9, edges[1] - edges[0])
    return edges, np.diff(np.interp(edges, x, total)) / width


def _time_axis(axes: Any, seconds: float) -> float:
    """Label it in a unit that suits; returns the seconds in it."""
    unit, scale = ("s", 1.0) if seconds < 180 else ("min", 60.0) if seconds < 3 * 3600 else ("h", 3600.0)
    axes.set(xlabel=f"time since the start, {unit}")
    return scale
