"""The points of a map: rows in the plane, in groups."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from torch_zoo.utils.maps.groups import Groups, group
from torch_zoo.utils.maps.projections import PROJECTIONS, Plane, Projection, project
from torch_zoo.utils.maps.rows import Rows, read_rows


@dataclass(frozen=True, slots=True)
class Points:
    rows: Rows
    plane: Plane
    groups: Groups

    @property
    def title(self) -> str:
        sources = len(set(self.rows.names))
        return (
            f"{self.rows.features}: {len(self.rows.names)} rows of {sources} source{'s' * (sources != 1)}, "
            f"colored by {self.groups.by}"
        )


def read_points(
    tables: Sequence[str],
    *,
    projection: Projection = "pca",
    column: str = "",
    color_by: str = "",
    clusters: int | None = None,
) -> Points:
    """Read tables written by on_extraction=save_table. Raises UsageError."""
    rows = read_rows(tables, column)
    groups = group(rows, color_by, clusters)
    return Points(rows, project(rows.vectors, projection), groups)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of all maps."""
    parser.add_argument("--projection", choices=PROJECTIONS, default="pca", help="to the plane [%(default)s]")
    parser.add_argument("--column", default="", help="of the vectors [the first one that holds any]")
    parser.add_argument(
        "--color-by",
        default="",
        metavar="WHAT",
        help=(
            "name (of the source), folder, cluster, or a column of the list "
            "[label if the list has it, else folder if there are several, else name]"
        ),
    )
    parser.add_argument(
        "--clusters", type=int, metavar="K", help="by k-means, for --color-by cluster [as many as HDBSCAN finds]"
    )


def chosen_points(tables: Sequence[str], options: argparse.Namespace) -> Points:
    """By the options of `add_options`. Raises UsageError."""
    return read_points(
        tables,
        projection=options.projection,
        column=options.column,
        color_by=options.color_by,
        clusters=options.clusters,
    )
