"""A map of tables of features as a PNG.

python -m torch_zoo.utils.maps.picture output/vggish/embeddings.parquet map.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from torch_zoo.utils import storage
from torch_zoo.utils.extras import require
from torch_zoo.utils.maps.groups import UNCLUSTERED, UNSAID
from torch_zoo.utils.maps.labels import GAP, Box, place
from torch_zoo.utils.maps.points import Points, add_options, chosen_points
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colors, which people who are color-blind tell apart, but for the yellow, too pale for white paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "os^DvPX"
GRAY = "#BBBBBB"
INK = "#333333"
MOST_LABELS = 200  # sources; with more, only groups are named
LABEL_POINTS = 10.0
MOST_LARGE_DOTS = 1000


@command(interrupted="no map was written")
def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m torch_zoo.utils.maps.picture", description="A map of features as a PNG."
    )
    parser.add_argument("tables", nargs="+", help="Parquet files of on_extraction=save_table, or folders of them")
    parser.add_argument("picture", help="the .png to write")
    add_options(parser)
    options = parser.parse_args(arguments)
    if not options.picture.lower().endswith(".png"):
        raise UsageError(f"{options.picture}: the last argument is the .png to write")
    require("map", "matplotlib")
    draw(chosen_points(options.tables, options), options.picture)
    print(f"the map is in {options.picture}", file=sys.stderr)
    return 0


def draw(points: Points, path: str) -> None:
    """Draw a dot per row, colored by its group, and name the sources where there is room. Raises UsageError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    _dots(axes, points)
    axes.set_xlabel(points.plane.axes[0], color=INK)
    axes.set_ylabel(points.plane.axes[1], color=INK)
    axes.set_title(points.title, color=INK, loc="left", fontsize=11, wrap=True)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.08)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRAY)
    figure.draw_without_rendering()  # the axes get their place
    if len(set(points.rows.names)) <= MOST_LABELS:
        _labels(axes, points)
    figure.set_layout_engine("none")
    try:
        with storage.atomic_write(path) as file:
            figure.savefig(file, format="png")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({storage.reason(error)})") from error


def _dots(axes: Axes, points: Points) -> None:
    """The largest groups have a color and a marker of their own; all others are gray."""
    names = [name for name in points.groups.names if name not in (UNCLUSTERED, UNSAID)]
    colored = names[: len(COLORS)]
    of_rows = np.array(points.groups.of_rows)
    size = 36 if len(of_rows) <= MOST_LARGE_DOTS else 6
    for name, color, marker in zip(colored, COLORS, MARKERS, strict=False):
        inside = of_rows == name
        x, y = points.plane.positions[inside].T
        axes.scatter(
            *(x, y), c=color, marker=marker, s=size, alpha=0.75, linewidths=0, label=f"{name} ({inside.sum()})"
        )
    rest = ~np.isin(of_rows, colored)
    if rest.any():
        others = len(set(of_rows[rest].tolist()))
        label = of_rows[rest][0] if others == 1 else f"{others} others"
        x, y = points.plane.positions[rest].T
        axes.scatter(x, y, c=GRAY, s=size, linewidths=0, zorder=0, label=f"{label} ({rest.sum()})")
    axes.legend(title=points.groups.by, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=9)


def _labels(axes: Axes, points: Points) -> None:
    """The name of each source near the median of its rows, those of many rows first."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(points.rows.names):
        rows.setdefault(name, []).append(row)
    names = sorted(rows, key=lambda name: -len(rows[name]))
    medians = np.array([np.median(points.plane.positions[rows[name]], axis=0) for name in names])
    anchors = axes.transData.transform(medians)
    drawn = [axes.text(0, 0, name, fontsize=LABEL_POINTS, color=INK) for name in names]
    extents = [text.get_window_extent() for text in drawn]
    frame = axes.get_window_extent()
    boxes = place(
        anchors, [(box.width, box.height) for box in extents], Box(frame.x0, frame.y0, frame.width, frame.height)
    )
    to_data = axes.transData.inverted()
    line = {"arrowstyle": "-", "color": "#888888", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0}
    for text, box, median, anchor in zip(drawn, boxes, medians, anchors, strict=True):
        text.remove()
        if box:
            far = box.distance(*anchor) > 2 * GAP
            axes.annotate(
                text.get_text(),
                median,
                tuple(to_data.transform((box.left, box.bottom))),
                fontsize=LABEL_POINTS,
                color=INK,
                ha="left",
                va="bottom",
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
                arrowprops=line if far else None,
            )


if __name__ == "__main__":
    sys.exit(main())
