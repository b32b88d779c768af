"""An evaluation as an HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from torch_zoo.models.vggsound.evaluation import Evaluation, Row
from torch_zoo.utils.evaluation.calibration import Calibration
from torch_zoo.utils.reports.figures import ACCENT, INK, MUTED, SECOND, draw
from torch_zoo.utils.reports.page import Bar, Bars, Cell, Figure, Number, Numbers, Section, Table, Text, page, shown

NAMES = {"mAP": "mAP", "mAUC": "mAUC", "dprime": "d\N{PRIME}", "top-1": "Top-1 accuracy", "top-5": "Top-5 accuracy"}
LISTED = 12  # classes and confusions
HEADS = ("Class", "Clips", "AP", "AP, 95 % interval", "AUC", "d\N{PRIME}", "Top-1", "Top-5")
MANY_CLIPS = 200  # of a class; beyond, the axis is logarithmic
GOLDEN_RATIO = 0.618  # spreads dots evenly


def evaluation_page(evaluation: Evaluation, notes: Sequence[str]) -> str:
    """The whole document; `notes` say what was evaluated."""
    ranked = sorted(evaluation.rows(), key=lambda row: -row[2])
    tiles = [
        Number(NAMES[name], shown(value), _interval(low, high))
        for name, (value, low, high) in evaluation.summary().items()
    ]
    return page(
        "VGGSound evaluation",
        [
            Section("", [*map(Text, notes), Numbers(tiles)]),
            Section("Classes", list(_of_classes(ranked)), beside=True),
            Section("Errors", list(_of_errors(evaluation)), beside=True),
            Section("All classes", [Table(HEADS, [_cells(row) for row in evaluation.rows()])]),
        ],
    )


def _cells(row: Row) -> tuple[Cell, ...]:
    name, clips, ap, low, high, auc, _, _, *others = row
    return name, clips, ap, _interval(low, high), auc, *others


def _interval(low: float, high: float) -> str:
    return f"{shown(low)} \N{EN DASH} {shown(high)}"


def _of_classes(ranked: Sequence[Row]) -> Iterator[Figure | Bars]:
    """`ranked` by average precision, best first."""
    yield Figure(
        draw(partial(_sorted_ap, ranked)),
        "Average precision of each class",
        "Sorted; the band is the 95 % interval of each class, the dashed line their mean.",
    )
    yield Figure(
        draw(partial(_ap_and_clips, ranked)),
        "Average precision and clips",
        "Each dot is a class; those of as many test clips are spread sideways.",
    )
    number = min(LISTED, len(ranked) // 2)
    for title, some in (("Best classes", ranked[:number]), ("Worst classes", ranked[: -number - 1 : -1])):
        bars = [Bar(row[0], row[2], f"{shown(row[2])} ({_interval(row[3], row[4])})") for row in some]
        yield Bars(title, bars, "Average precision and its 95 % interval.")


def _of_errors(evaluation: Evaluation) -> Iterator[Figure | Bars]:
    clips = {row[0]: row[1] for row in evaluation.rows()}
    yield Bars(
        "Most frequent confusions",
        [
            Bar(f"{true} \N{RIGHTWARDS ARROW} {other}", number / clips[true], f"{number} of {clips[true]}")
            for true, other, number in islice(evaluation.confusions(), LISTED)
        ],
        "True class, the class predicted instead, and how many of the clips of the true class.",
    )
    yield Figure(
        draw(partial(_reliability, evaluation.calibration), height=4.0),
        "Calibration",
        "Accuracy of the predictions of each confidence, the probability of the class predicted; dots are as large as "
        f"the share of clips. Expected calibration error: {shown(evaluation.calibration.error)}.",
    )


def _sorted_ap(ranked: Sequence[Row], axes: Any) -> None:
    ap, low, high = np.array([row[2:5] for row in ranked]).T
    place = np.arange(1, len(ap) + 1)
    axes.fill_between(place, low, high, color=ACCENT, alpha=0.18, linewidth=0, step="mid")
    axes.step(place, ap, where="mid", color=ACCENT, linewidth=1.6)
    axes.axhline(ap.mean(), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"mAP {ap.mean():.3f}", (place[-1], ap.mean()), (0, 4), textcoords="offset points", ha="right", color=INK
    )
    axes.set(xlim=(0.5, len(ap) + 0.5), ylim=(0, 1), xlabel="rank of the class", ylabel="average precision")


def _ap_and_clips(ranked: Sequence[Row], axes: Any) -> None:
    clips, ap = np.array([row[1:3] for row in ranked]).T
    spread = 0.7 * (np.arange(len(clips)) * GOLDEN_RATIO % 1 - 0.5)
    axes.scatter(clips + spread, ap, s=16, color=ACCENT, alpha=0.55, linewidths=0)
    if clips.max() > MANY_CLIPS:
        axes.set_xscale("log")
    else:
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(ylim=(0, 1.02), xlabel="test clips of the class", ylabel="average precision")


def _reliability(found: Calibration, axes: Any) -> None:
    axes.plot((0, 1), (0, 1), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.vlines(found.confidence, found.confidence, found.accuracy, color=SECOND, linewidth=1.4)
    axes.plot(found.confidence, found.accuracy, color=ACCENT, linewidth=1.4)
    axes.scatter(
        found.confidence, found.accuracy, s=10 + 300 * found.number / found.number.sum(), color=ACCENT, zorder=3
    )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="confidence", ylabel="accuracy", aspect="equal")
