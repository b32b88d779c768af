"""A map of a table of features as a PNG.

python -m torch_zoo.utils.maps.picture output/vggish/embeddings.parquet map.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.maps.points import INSTALL, PROJECTIONS, Points, read_points
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import UsageError

MOST_LABELS = 60  # with more sources, their names are not shown
MOST_COLORS = 10  # with more sources, all points have the same color


@command(interrupted="no map was written")
def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m torch_zoo.utils.maps.picture", description="A map of sounds as a PNG."
    )
    parser.add_argument("table", type=Path, help="the Parquet file of on_extraction=save_table")
    parser.add_argument("picture", type=Path, help="the .png to write")
    parser.add_argument("--projection", choices=PROJECTIONS, default="pca", help="to the plane [%(default)s]")
    parser.add_argument("--column", default="", help="of the vectors [the first one that holds any]")
    options = parser.parse_args(arguments)
    draw(read_points(options.table, options.projection, options.column), options.picture)
    print(f"the map is in {options.picture}", file=sys.stderr)
    return 0


def draw(points: Points, path: Path) -> None:
    """Draw one dot per point, colored and labeled by source unless there are too many. Raises UsageError."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(f"the image requires Matplotlib: {INSTALL}") from error
    sources = {name: index for index, name in enumerate(dict.fromkeys(points.names))}
    figure = Figure(figsize=(10, 8), layout="constrained")
    axes = figure.add_subplot()
    x, y = points.positions.T
    colored = len(sources) <= MOST_COLORS
    colors = [f"C{sources[name] if colored else 0}" for name in points.names]
    axes.scatter(x, y, c=colors, s=30 if len(x) < 1000 else 4, alpha=0.7, linewidths=0)
    if len(sources) <= MOST_LABELS:
        for name in sources:
            middle = points.positions[[each == name for each in points.names]].mean(axis=0)
            axes.annotate(name, middle, ha="center", va="bottom", fontsize=9)
    axes.set(xticks=[], yticks=[], title=f"{len(x)} points of {len(sources)} sources")
    try:
        with atomic_write(path) as partial:
            figure.savefig(partial, dpi=150, format="png")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    sys.exit(main())
