"""Embedding Atlas as a web application, with what its points are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch_zoo.utils.maps import excerpts
from torch_zoo.utils.maps.neighbors import nearest
from torch_zoo.utils.maps.points import Points
from torch_zoo.utils.types import MediaError

if TYPE_CHECKING:
    import pandas as pd
    from fastapi import FastAPI

MEDIA = {"sound": "audio/wav", "frame": "image/jpeg", "clip": "video/mp4"}  # at /<kind>/<row>
RENDERERS = {"sound": "audio", "frame": "image", "clip": "url"}
HIDDEN = ("row", "x", "y", "neighbors")


def make_app(points: Points, address: str, seconds: float) -> FastAPI:
    """The map, and the sound, the frame and the clip of its points, each at most `seconds` long."""
    import embedding_atlas
    from embedding_atlas.data_source import DataSource
    from embedding_atlas.options import make_embedding_atlas_props
    from embedding_atlas.server import make_server
    from fastapi import FastAPI

    shown = ("frame", "clip") if points.rows.of_frames else ("sound",)
    properties = make_embedding_atlas_props(
        row_id="row", x="x", y="y", text="name", neighbors="neighbors", labels="disabled"
    )
    styles = {
        **{kind: {"renderer": RENDERERS[kind], "display": "full"} for kind in shown},
        **{column: {"display": "hidden"} for column in HIDDEN},
    }
    columns = {"x": "x", "y": "y", "text": "name", "category": "group", "neighbors": "neighbors"}
    embedding = {"title": points.title, "data": columns}
    properties |= {
        "initialState": {"columnStyles": styles},
        "defaultChartsConfig": {"exclude": [*HIDDEN, *shown], "embedding": embedding},
    }
    data = DataSource(address, _table(points, address, shown), {"props": properties})
    pages = Path(embedding_atlas.__file__).parent / "static"
    app = FastAPI(title=points.title)

    made: dict[str, Callable[[str, float, float], bytes]] = {
        "sound": partial(excerpts.sound, seconds=seconds),
        "frame": excerpts.frame,
        "clip": partial(excerpts.clip, seconds=seconds),
    }
    for kind in shown:
        app.get(f"/{kind}/{{row}}")(_serve(points, made[kind], MEDIA[kind]))
    app.mount("/", make_server(data, static_path=str(pages), duckdb_uri="server"))
    return app


def _serve(points: Points, excerpt: Callable[[str, float, float], bytes], media_type: str) -> Callable[[int], object]:
    from fastapi import HTTPException, Response

    rows = points.rows

    def serve(row: int) -> object:
        if not 0 <= row < len(rows.names):
            raise HTTPException(404, "no such point")
        start, end = rows.times[row].tolist()
        try:
            return Response(excerpt(rows.paths[row], start, end), media_type=media_type)
        except MediaError as error:
            raise HTTPException(404, f"{rows.paths[row]}: {error}") from error

    serve.__annotations__ = {"row": int}  # FastAPI reads them
    return serve


def _table(points: Points, address: str, shown: tuple[str, ...]) -> pd.DataFrame:
    """A row per point; columns of the list that have the name of one of ours are left out."""
    import pandas as pd

    rows, number = points.rows, len(points.rows.names)
    near, cosines = nearest(rows.vectors)
    own = {
        "row": range(number),
        **{kind: [f"{address}/{kind}/{row}" for row in range(number)] for kind in shown},
        "name": rows.names,
        "group": points.groups.of_rows,
        "path": rows.paths,
        "start": rows.times[:, 0],
        "end": rows.times[:, 1],
        "x": points.plane.positions[:, 0],
        "y": points.plane.positions[:, 1],
        "neighbors": [
            {"ids": ids, "distances": distances}
            for ids, distances in zip(near.tolist(), (1 - cosines).tolist(), strict=True)
        ],
    }
    return pd.DataFrame({**rows.listed, **own})
