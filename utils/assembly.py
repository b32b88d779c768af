"""From the composed options of a run to the objects that do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch_zoo.utils import storage
from torch_zoo.utils.dry_run.run import DryRun
from torch_zoo.utils.engines.engine import Engine
from torch_zoo.utils.options import Run, build, import_target, reject_unused_options, with_predictions
from torch_zoo.utils.retry import Retry
from torch_zoo.utils.runs.recording import Recording, RunRecord
from torch_zoo.utils.sinks.claims import Claims
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.terminal.known import CLASSES
from torch_zoo.utils.terminal.progress import Reporting
from torch_zoo.utils.types import Extractor, Outcome, OutputConflictError, Sink, Source


@dataclass(frozen=True)
class Parts:
    """Of a run."""

    extractor: Extractor
    sink: Sink
    claims: Claims
    engine: Engine | DryRun
    inputs: Inputs
    retry: Retry
    reporting: Reporting
    record: RunRecord
    overwrite: bool

    def settled(self, source: Source, overwrite: bool) -> Outcome | None:
        """What is known of a source before any work: its features are there, or its name is taken by another's."""
        if overwrite:
            return None
        try:
            return Outcome(source, "skipped") if self.sink.has(source, self.extractor.arrays) else None
        except OutputConflictError as conflict:
            return Outcome(source, "failed", str(conflict))


def assemble(choices: Mapping[str, str], config: Mapping[str, Any], given: Mapping[str, Any]) -> Parts:
    """Build what the options describe. Raises UsageError.

    Args:
        choices: the choice of each config group.
        config: the composed options.
        given: those that the user set.
    """
    run, feature_type = build(Run, config), choices["feature_type"]
    targets = {group: import_target(config[group]["_target_"], group) for group in CLASSES}
    chosen = ", ".join(f"{group}={choices[group]}" for group in CLASSES)
    reject_unused_options(given, targets, [Inputs, Recording, Reporting, Retry, Run], chosen)
    targets["engine"] = DryRun if run.dry_run else targets["engine"]
    options = {**config, "folder": storage.join(run.output_path, feature_type)}
    groups = {
        "feature_type": {**options, **with_predictions(targets, feature_type)},
        "on_extraction": options,
        "engine": options,
    }
    parts: dict[str, Any] = {group: build(targets[group], {**groups[group], **config[group]}) for group in CLASSES}
    sink = parts["on_extraction"]
    recording = build(Recording, options)
    return Parts(
        extractor=parts["feature_type"],
        sink=sink,
        claims=Claims(sink.member if isinstance(sink, FolderSink) else None),
        engine=parts["engine"],
        inputs=build(Inputs, options),
        retry=build(Retry, options),
        reporting=build(Reporting, options),
        record=RunRecord(recording, isinstance(sink, FolderSink), feature_type, given, options),
        overwrite=run.overwrite,
    )
