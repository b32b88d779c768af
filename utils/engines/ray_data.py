"""For pipelines of Ray Data: features of the media that a dataset names, as a callable for `map_batches`.

    paths = ray.data.from_items([{"path": "a.mp4"}, {"path": "b.mp4"}])
    features = paths.map_batches(Extract, fn_constructor_args=[VGGishExtractor()], concurrency=4, num_gpus=1)

Here the blocks of the dataset are the unit of work: a crash or a slow file costs a block its time, and nothing is kept
for a later run. `engine=ray` has none of these limits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from torch_zoo.utils.devices import DeviceKind, devices
from torch_zoo.utils.engines.decoders import DecoderOptions
from torch_zoo.utils.engines.inline import TIMEOUT_SECONDS, Inline
from torch_zoo.utils.types import Extractor, Source


class Extract:
    """Holds the networks of an extractor, on the first device that this process sees, and `cores` of a CPU."""

    def __init__(self, extractor: Extractor, device: DeviceKind = "auto", cores: int = 1) -> None:
        self._extractor = extractor
        decoders = DecoderOptions(cores, TIMEOUT_SECONDS, memory=None)
        self._inline = Inline(extractor, extractor.load(devices(device, None)[0], cores), decoders)

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Rows with a `path`, and perhaps `start` and `end`, s -> the same rows with features.

        Added are a column per array of the extractor, each entry (T, ...); `times`, each (T, 2), s; and `error`, empty
        where all is well. A source that failed has T = 0.
        """
        sources = [_source(batch, number) for number in range(len(batch["path"]))]
        results = list(self._inline.decode(sources))
        errors = [outcome.message if outcome.status == "failed" else "" for outcome, _ in results]
        rows = [features for _, features in results]
        columns = {
            key: _column([each.arrays[key] if each else np.zeros((0, *row.shape), row.base) for each in rows])
            for key, row in self._extractor.arrays.items()
        }
        times = _column([each.times if each else np.zeros((0, 2)) for each in rows])
        return {**batch, **columns, "times": times, "error": np.array(errors)}


def _source(batch: Mapping[str, np.ndarray], number: int) -> Source:
    start, end = (float(batch[name][number]) if name in batch else np.nan for name in ("start", "end"))
    return Source(
        str(batch["path"][number]), f"{number}", 0.0 if np.isnan(start) else start, None if np.isnan(end) else end
    )


def _column(arrays: list[np.ndarray]) -> np.ndarray:
    """Of arrays that may differ in length."""
    column = np.empty(len(arrays), object)
    for number, array in enumerate(arrays):
        column[number] = array
    return column
