"""Features as WebDataset shards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.containers.container import Container
from torch_zoo.utils.sinks.containers.samples import SampleSink
from torch_zoo.utils.sinks.containers.shards import Limit, of_bytes
from torch_zoo.utils.sinks.containers.tar import Tar
from torch_zoo.utils.types import OutputError

INDEX = "features.json"


@dataclass(frozen=True, kw_only=True)
class SaveWebDataset(SampleSink):
    """`features-000000.tar` and so on, and `features.json`, which lists them with their numbers of samples."""

    container: ClassVar[Container] = Tar()

    shard_bytes: int = 64_000_000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.limit  # noqa: B018 - raises UsageError if it is none

    @property
    def limit(self) -> Limit:
        return of_bytes(self.shard_bytes)

    def finish(self) -> None:
        super().finish()
        shards = [{"name": file, "samples": len(sources)} for file, sources in self.stored.sources.items()]
        index = self.stored.path(INDEX)
        try:
            if not shards:
                storage.remove(index)
                return
            with storage.atomic_write(index) as file:
                file.write(json.dumps({"shards": shards}, indent=1).encode())
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({storage.reason(error)})") from error
