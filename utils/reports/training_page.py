"""A training as an HTML page, and as one picture: its curves, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from torch_zoo.utils.reports.figures import ON_PAGE, Palette, draw, draw_png
from torch_zoo.utils.reports.page import Bar, Bars, Block, Cell, Figure, Number, Numbers, Section, Table, Text, page
from torch_zoo.utils.training.summary import CONFUSION, MISTAKES, Summary

LISTED = 12  # confusions
MOST_MISTAKES = 500
MOST_NAMED, MOST_COUNTED = 40, 20  # classes whose names fit beside the matrix, whose numbers fit into it


def training_page(summary: Summary) -> str:
    """The whole document."""
    return page(
        summary.title,
        [
            Section("", [*map(Text, summary.notes), Numbers(list(_numbers(summary)))]),
            Section("Curves", list(_curves(summary)), beside=True),
            Section("Errors", list(_errors(summary)), beside=True),
            Section("Classes", [Table(("Class", "Clips", "Right", "Recall", "Predicted"), list(_classes(summary)))]),
            Section("Clips that are wrong", list(_mistakes(summary))),
        ],
    )


def training_picture(summary: Summary) -> bytes:
    """A PNG of the curves and the confusion matrix, side by side."""
    return draw_png([partial(_plot_loss, summary), partial(_plot_accuracy, summary), partial(_plot_matrix, summary)])


def _numbers(summary: Summary) -> Iterator[Number]:
    best = next(point for point in summary.points if point.number == summary.best)
    right = int(np.trace(summary.matrix))
    yield Number("Validation accuracy", f"{summary.accuracy:.1%}", f"{right:,} of {len(summary.clips):,} clips")
    yield Number("Validation loss", f"{best.validation_loss:.3f}", f"training: {best.loss:.3f}")
    yield Number(f"{summary.unit.capitalize()} of the saved weights", f"{summary.best:,}", _of(summary))
    yield Number("Classes", f"{len(summary.classes):,}")


def _of(summary: Summary) -> str:
    return f"of {summary.points[-1].number:,}"


def _curves(summary: Summary) -> Iterator[Figure]:
    dashed = f"The dashed line is the {summary.unit} whose weights are saved."
    yield Figure(draw(partial(_plot_loss, summary, colors=ON_PAGE)), "Loss", dashed)
    yield Figure(
        draw(partial(_plot_accuracy, summary, colors=ON_PAGE)),
        "Accuracy",
        "Of training batches before each update, and of the validation set.",
    )


def _errors(summary: Summary) -> Iterator[Block]:
    yield Figure(
        draw(partial(_plot_matrix, summary, colors=ON_PAGE), height=4.4),
        "Confusion matrix",
        f"Rows are the true classes, columns the predicted ones; darker is a larger share of the row. {CONFUSION} has "
        "the numbers.",
    )
    of_class = dict(zip(summary.classes, summary.matrix.sum(axis=1).tolist(), strict=True))
    yield Bars(
        "Most frequent confusions",
        [
            Bar(f"{true} \N{RIGHTWARDS ARROW} {other}", number / of_class[true], f"{number} of {of_class[true]}")
            for true, other, number in islice(summary.confusions, LISTED)
        ],
        "True class, the class predicted instead, and how many of the clips of the true class."
        if summary.confusions
        else "All clips are right.",
    )


def _classes(summary: Summary) -> Iterator[Sequence[Cell]]:
    clips, predicted = summary.matrix.sum(axis=1), summary.matrix.sum(axis=0)
    for index, name in enumerate(summary.classes):
        right, number = int(summary.matrix[index, index]), int(clips[index])
        yield name, number, right, right / number if number else float("nan"), int(predicted[index])


def _mistakes(summary: Summary) -> Iterator[Block]:
    mistakes = summary.mistakes()
    if not mistakes:
        yield Text("None of the validation clips.")
        return
    if len(mistakes) > MOST_MISTAKES:
        yield Text(f"The {MOST_MISTAKES} most confident of {len(mistakes):,}; {MISTAKES} has all.")
    rows = [(clip.path, clip.start, true, other, score) for clip, true, other, score in mistakes[:MOST_MISTAKES]]
    yield Table(("Clip", "Start, s", "True class", "Predicted class", "Probability"), rows)


def _plot_loss(summary: Summary, axes: Any, colors: Palette) -> None:
    _lines(summary, [point.loss for point in summary.points], [p.validation_loss for p in summary.points], axes, colors)
    axes.set(ylabel="loss")
    axes.set_ylim(bottom=0)


def _plot_accuracy(summary: Summary, axes: Any, colors: Palette) -> None:
    training = [100 * point.accuracy for point in summary.points]
    _lines(summary, training, [100 * point.validation_accuracy for point in summary.points], axes, colors)
    axes.set(ylabel="accuracy, %", ylim=(0, 102))


def _lines(
    summary: Summary, training: Sequence[float], validation: Sequence[float], axes: Any, colors: Palette
) -> None:
    numbers = [point.number for point in summary.points]
    dot = "o" if len(numbers) <= MOST_NAMED else ""
    axes.axvline(summary.best, color=colors.muted, linewidth=1, linestyle=(0, (4, 3)))
    for values, color, label in ((training, colors.accent, "training"), (validation, colors.second, "validation")):
        axes.plot(numbers, values, color=color, linewidth=1.6, marker=dot, markersize=3.5, label=label)
    axes.set(xlabel=summary.unit)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, columnspacing=1.2, handlelength=1.4)


def _plot_matrix(summary: Summary, axes: Any, colors: Palette) -> None:
    """Each cell is as opaque as its share of the row, so that it suits light and dark paper."""
    clips = np.maximum(1, summary.matrix.sum(axis=1, keepdims=True))
    shares, number = summary.matrix / clips, len(summary.classes)
    pixels = np.empty((number, number, 4))
    pixels[:] = colors.cells
    pixels[..., 3] = shares
    axes.imshow(pixels, interpolation="none")
    axes.grid(False)
    axes.set(xlabel="predicted class", ylabel="true class")
    if number > MOST_NAMED:
        axes.set(xticks=[], yticks=[])
        return
    size = 9 if number <= MOST_COUNTED else 5
    axes.set_xticks(range(number), summary.classes, rotation=90, fontsize=size)
    axes.set_yticks(range(number), summary.classes, fontsize=size)
    if number <= MOST_COUNTED:
        for row, column in np.argwhere(summary.matrix):
            count = int(summary.matrix[row, column])
            axes.text(column, row, count, ha="center", va="center", fontsize=8, color=colors.ink)
