"""An interactive map of tables of features; click a point to play its sound, or to see its frame and clip.

    python -m torch_zoo.utils.maps.atlas output/vggish/embeddings.parquet

Embedding Atlas (Ren et al. 2025, arXiv:2505.06386) shows the points in a browser. Everything is served locally: the
pages from the package, the data by DuckDB in this process, and what a point is made of from its file, on request.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence

from torch_zoo.utils import storage
from torch_zoo.utils.extras import require
from torch_zoo.utils.maps.points import Points, add_options, chosen_points
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import UsageError

HOST = "localhost"
PORT = 5055


@command(interrupted="the map is no longer served")
def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m torch_zoo.utils.maps.atlas",
        description="Show a map of features in the browser; click a point to hear or see what it is made of.",
    )
    parser.add_argument("tables", nargs="+", help="Parquet files of on_extraction=save_table, or folders of them")
    add_options(parser)
    parser.add_argument("--seconds", type=float, default=10.0, help="longest sound or clip of a point [%(default)s]")
    parser.add_argument("--port", type=int, default=PORT, help="of this machine; 0 = any that is free [%(default)s]")
    options = parser.parse_args(arguments)
    require("atlas", "embedding_atlas")
    serve(chosen_points(options.tables, options), options.port, options.seconds)
    return 0


def serve(points: Points, port: int, seconds: float) -> None:
    """Serve the map at http://localhost:<port> until Ctrl-C. Raises UsageError."""
    import uvicorn

    from torch_zoo.utils.maps.app import make_app

    paths = set(points.rows.paths)
    if missing := sum(not storage.exists(path) for path in paths if not storage.is_url(path)):
        print(
            f"{missing} of {len(paths)} files are missing, so their points have nothing to play or show; run this in "
            "the folder where the features were extracted",
            file=sys.stderr,
        )
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise UsageError(f"port {port}: {error.strerror}; choose another with --port") from error
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    app = make_app(points, address, seconds)
    print(f"the map of {len(points.rows.names)} points is at {address} (press Ctrl-C to stop)", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listening])


if __name__ == "__main__":
    sys.exit(main())
