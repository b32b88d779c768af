"""The callable for Ray Data, called as Ray Data does; tests/with_ray has it do so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from actors import WINDOWS, Doubler, value

from torch_zoo.utils.engines.ray_data import Extract
from torch_zoo.utils.types import Source


def test_rows_get_their_own_features_or_the_reason_why_not(tmp_path: Path) -> None:
    extract = Extract(Doubler(markers=str(tmp_path)), device="cpu", cores=2)
    for paths in (["good a", "media x", "good b"], ["empty c"]):  # the same networks serve many blocks
        batch = {"path": np.array(paths), "label": np.arange(len(paths)), "end": np.full(len(paths), np.nan)}
        rows = extract(batch)
        assert set(rows) == {"path", "label", "end", "doubled", "times", "error"}
        assert rows["label"].tolist() == batch["label"].tolist()
        assert rows["error"].tolist() == ["no audio stream" if path == "media x" else "" for path in paths]
        for number, path in enumerate(paths):
            good = path.startswith("good")
            assert len(rows["doubled"][number]) == len(rows["times"][number]) == (WINDOWS if good else 0)
            assert (rows["doubled"][number] == 2 * value(Source(path, f"{number}"))).all()
