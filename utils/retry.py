"""What is done about sources that failed before in a folder of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch_zoo.utils import storage
from torch_zoo.utils.attempts import Attempt
from torch_zoo.utils.sinks import failures
from torch_zoo.utils.sources import Inputs, Selection
from torch_zoo.utils.types import Extractor, Outcome, Source, UsageError


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Options as in configs/config.yaml."""

    folder: str
    retry: Literal["changed", "all", "failed", "none"] = "changed"
    overwrite: bool = False
    allow_protocols: list[str] | None = None

    def select(self, inputs: Inputs) -> Selection:
        """The sources of the run; with retry=failed those that failed before, of what is named or else of all.

        Raises UsageError.
        """
        if self.retry != "failed":
            return inputs.select()
        before = failures.listed(self.folder)
        if not before:
            if not storage.exists(self.folder):
                raise UsageError(
                    f"retry=failed: {self.folder} does not exist; give the output_path of the run that failed"
                )
            return Selection([], {}, [f"retry=failed: nothing has failed in {self.folder}"])
        if inputs.video_paths is None and inputs.file_with_video_paths is None:
            inputs = replace(inputs, file_with_video_paths=failures.path_in(self.folder))
        selection = inputs.select()
        sources = [source for source in selection.sources if source.name in before]
        note = f"retry=failed: {len(sources)} of {len(selection.sources)} sources failed before"
        return replace(selection, sources=sources, notes=[*selection.notes, note])

    def given_up(self, sources: Sequence[Source], extractor: Extractor) -> dict[str, Outcome]:
        """Those of the sources that failed before and are not to be tried again, by name. Raises UsageError."""
        wants_all = self.overwrite or self.allow_protocols  # what else a file needs may be there now
        if self.retry in ("all", "failed") or (self.retry == "changed" and wants_all):
            return {}
        before = failures.listed(self.folder)
        known = ((source, before[source.name]) for source in sources if source.name in before)
        return {
            source.name: Outcome(source, "failed", failure.message, attempt=failure.attempt)
            for source, failure in known
            if self.retry == "none" or (failure.attempt and failure.attempt == Attempt.of(source, extractor).digest)
        }
