"""Ray Data calls Extract in actors of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from actors import WINDOWS, Doubler
from nodes import quiet

from torch_zoo.utils.engines.ray_data import Extract

ray = pytest.importorskip("ray", reason="make test-ray runs this")
pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]  # many processes are started

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster


def test_a_dataset_of_paths_becomes_one_of_features(cluster: Cluster, tmp_path: Path) -> None:
    paths = [f"good {number}" for number in range(6)] + ["media x"]
    with quiet(cluster):
        listed = ray.data.from_items([{"path": path} for path in paths], override_num_blocks=2)
        extracted = listed.map_batches(Extract, fn_constructor_args=[Doubler(markers=str(tmp_path))], concurrency=1)
        rows = {row["path"]: row for row in extracted.take_all()}
    assert {path: row["error"] for path, row in rows.items()} == dict.fromkeys(paths, "") | {
        "media x": "no audio stream"
    }
    for path, row in rows.items():
        assert len(row["doubled"]) == len(row["times"]) == (0 if path == "media x" else WINDOWS)
        assert np.isfinite(row["doubled"]).all()
