"""WebDataset shards, read by plain tarfile and by the rules: a sample is what agrees up to the first dot."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from urllib.parse import unquote

import fsspec
import numpy as np

from torch_zoo.utils import storage


def shards(folder: str) -> list[str]:
    return sorted(name for name in storage.listing(folder) if name.endswith(".tar"))


def members(folder: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in the shards."""
    system, path = fsspec.url_to_fs(folder)
    for shard in shards(folder):
        with tarfile.open(fileobj=io.BytesIO(system.cat_file(f"{path}/{shard}"))) as tar:
            for member in tar:
                content = tar.extractfile(member)
                assert content
                yield member.name, content.read()


def arrays(folder: str) -> dict[str, np.ndarray]:
    """The array of each source, by its name; none is there twice."""
    found = {}
    for name, content in members(folder):
        key, _, ending = name.partition(".")
        if ending == "vggish.npy":
            source = unquote(key)
            assert source not in found
            found[source] = np.load(io.BytesIO(content))
    return found
