"""An interactive map of a table of features; click a point to play its audio.

    python -m torch_zoo.utils.maps.atlas output/vggish/embeddings.parquet

Embedding Atlas (Ren et al. 2025, arXiv:2505.06386) shows the points in a browser. Everything is served locally: the
pages from the package, the data by DuckDB in this process, and the audio of a point from its file, on request.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch_zoo.utils import storage
from torch_zoo.utils.maps.points import INSTALL, PROJECTIONS, Points, read_points
from torch_zoo.utils.maps.sounds import excerpt
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import MediaError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "localhost"
PORT = 5055


@command(interrupted="the map is no longer served")
def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m torch_zoo.utils.maps.atlas",
        description="Show a map of sounds in the browser; click a point to hear it.",
    )
    parser.add_argument("table", type=Path, help="the Parquet file of on_extraction=save_table")
    parser.add_argument("--projection", choices=PROJECTIONS, default="pca", help="to the plane [%(default)s]")
    parser.add_argument("--column", default="", help="of the vectors [the first one that holds any]")
    parser.add_argument("--seconds", type=float, default=10.0, help="longest sound of a point [%(default)s]")
    parser.add_argument("--port", type=int, default=PORT, help="of this machine; 0 = any that is free [%(default)s]")
    options = parser.parse_args(arguments)
    points = read_points(options.table, options.projection, options.column)
    serve(points, options.port, options.seconds)
    return 0


def serve(points: Points, port: int, seconds: float) -> None:
    """Serve the map at http://localhost:<port> until Ctrl-C. Raises UsageError."""
    try:
        import uvicorn
        from embedding_atlas import server as _  # noqa: F401
    except ImportError as error:
        raise UsageError(f"the map requires Embedding Atlas: {INSTALL}") from error
    paths = set(points.paths)
    if missing := sum(not storage.exists(path) for path in paths if not storage.is_url(path)):
        print(
            f"{missing} of {len(paths)} files are missing, so their points have no audio; run this in the folder where "
            "the features were extracted",
            file=sys.stderr,
        )
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise UsageError(f"port {port}: {error.strerror}; choose another with --port") from error
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    app = make_app(points, address, seconds)
    print(f"the map of {len(points.names)} points is at {address} (press Ctrl-C to stop)", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listening])


def make_app(points: Points, address: str, seconds: float) -> FastAPI:
    """Embedding Atlas, and the audio of its points at /sounds/<row>.wav."""
    import embedding_atlas
    import pandas as pd
    from embedding_atlas.data_source import DataSource
    from embedding_atlas.options import make_embedding_atlas_props
    from embedding_atlas.server import make_server
    from fastapi import FastAPI, HTTPException, Response

    number = len(points.names)
    table = pd.DataFrame(
        {
            "row": range(number),
            "sound": [f"{address}/sounds/{row}.wav" for row in range(number)],
            "name": points.names,
            "path": points.paths,
            "start": points.times[:, 0],
            "end": points.times[:, 1],
            "x": points.positions[:, 0],
            "y": points.positions[:, 1],
        }
    )
    properties = make_embedding_atlas_props(row_id="row", x="x", y="y", text="name")
    styles = {
        "sound": {"renderer": "audio", "display": "full"},
        **{column: {"display": "hidden"} for column in ("row", "x", "y")},
    }
    embedding = {"data": {"x": "x", "y": "y", "text": "name", "category": "name"}}
    properties |= {
        "initialState": {"columnStyles": styles},
        "defaultChartsConfig": {"exclude": ["row", "sound"], "embedding": embedding},
    }
    data = DataSource(address, table, {"props": properties})
    pages = Path(embedding_atlas.__file__).parent / "static"
    app = FastAPI()

    def sound(row: int) -> Response:
        if not 0 <= row < number:
            raise HTTPException(404, "no such point")
        try:
            start, end = points.times[row].tolist()
            return Response(excerpt(points.paths[row], start, end, seconds), media_type="audio/wav")
        except MediaError as error:
            raise HTTPException(404, f"{points.paths[row]}: {error}") from error

    app.get("/sounds/{row}.wav")(sound)
    app.mount("/", make_server(data, static_path=str(pages), duckdb_uri="server"))
    return app


if __name__ == "__main__":
    sys.exit(main())
