"""Which rows are most like a row, by the cosine of their vectors.

python -m torch_zoo.utils.maps.neighbors output/vggish/embeddings.parquet speech
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from torch_zoo.utils.extras import require
from torch_zoo.utils.maps.rows import Rows, read_rows
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import UsageError

NUMBER = 10


def nearest(
    vectors: np.ndarray, number: int = NUMBER, of: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """For each row, or those of `of`: the most similar others, nearest first, and the cosines; both (m, number).

    A vector of zeros has the cosine 0 with all others.
    """
    require("map", "sklearn")
    from sklearn.neighbors import NearestNeighbors

    number = min(number, len(vectors) - 1)
    asked = np.arange(len(vectors)) if of is None else np.asarray(of)
    search = NearestNeighbors(n_neighbors=number + 1, metric="cosine").fit(vectors.astype(np.float32))
    distances, rows = search.kneighbors(vectors[asked].astype(np.float32))
    itself = rows == asked[:, None]
    itself[~itself.any(axis=1), -1] = True  # among more equal rows than were asked for
    others = ~itself
    return rows[others].reshape(-1, number), 1 - distances[others].reshape(-1, number)


@command(interrupted="no neighbors were printed")
def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m torch_zoo.utils.maps.neighbors", description="Print the rows most like a row, by cosine."
    )
    parser.add_argument("table", help="a Parquet file of on_extraction=save_table, or a folder of them")
    parser.add_argument("name", help="of the source")
    parser.add_argument("--at", type=float, default=0.0, metavar="S", help="the row that covers this time [0]")
    parser.add_argument("--number", type=int, default=NUMBER, help="of rows to print [%(default)s]")
    parser.add_argument("--column", default="", help="of the vectors [the first one that holds any]")
    options = parser.parse_args(arguments)
    if options.number < 1:
        raise UsageError(f"--number {options.number}: must be 1 or more")
    rows = read_rows([options.table], options.column)
    [found], [cosines] = nearest(rows.vectors, options.number, [_row(rows, options.name, options.at)])
    for row, cosine in zip(found.tolist(), cosines.tolist(), strict=True):
        start, end = rows.times[row]
        print(f"{cosine:.4f}  {rows.names[row]}  {start:g} to {end:g} s")
    return 0


def _row(rows: Rows, name: str, seconds: float) -> int:
    of_source = [row for row, each in enumerate(rows.names) if each == name]
    if not of_source:
        raise UsageError(f"no source called {name}; there are {', '.join(list(dict.fromkeys(rows.names))[:3])}, …")
    covering = [row for row in of_source if rows.times[row, 0] <= seconds < rows.times[row, 1]]
    if not covering:
        first, last = rows.times[of_source, 0].min(), rows.times[of_source, 1].max()
        raise UsageError(f"--at {seconds:g}: {name} has rows from {first:g} to {last:g} s only")
    return covering[0]


if __name__ == "__main__":
    sys.exit(main())
