"""Features of media files: python main.py feature_type=vggish video_paths="[clip.mp4]"; --help lists what there is.

Exit codes: 0 all sources done, skipped or empty; 1 some failed; 2 the options are wrong; 130 interrupted.
Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch_zoo.utils.terminal.exit_codes import command

HELP, VERSION, MULTIRUN = ("-h", "--help"), ("--version",), ("-m", "--multirun")
LAUNCHER = "hydra/launcher="  # who runs the runs of --multirun
UNCHECKED = "-sc --shell-completion --hydra-help -i --info -cn --config-name -cp --config-path".split()


@dataclass(frozen=True)
class Extraction:
    """What is to be done in one run."""

    config: Any  # an omegaconf.DictConfig
    feature_type: str
    given: Mapping[str, Any]  # options that the user set, by name


@command(interrupted="finished outputs are complete, and the same command continues from there")
def main(arguments: Sequence[str]) -> int:
    failed = sum(run(extraction) for extraction in compose(arguments))
    return 1 if failed else 0


def compose(arguments: Sequence[str]) -> list[Extraction]:
    """What is to be run here: one extraction, or several with --multirun. Raises UsageError.

    None where the user only asked for information, or chose a launcher of Hydra's: that has then run all of them.
    """
    import torch_zoo
    from torch_zoo.utils.terminal import checks, flags, grammar, help
    from torch_zoo.utils.terminal.catalogue import Catalogue

    catalogue = Catalogue(flags.config_folders(arguments))
    typed = flags.translate(arguments, catalogue)
    if typed.has(*VERSION):
        print(f"torch-zoo {torch_zoo.__version__}")
        return []
    if typed.has(*HELP):
        print(help.text(catalogue, typed.overrides))
        return []
    lines = grammar.combinations(typed.overrides) if typed.has(*MULTIRUN) else [list(typed.overrides)]
    lines = [flags.with_layout(line, catalogue) for line in lines]
    if not typed.has(*UNCHECKED):
        for line in lines:
            checks.check(line, catalogue)
    composed: list[Extraction] = []
    if typed.has(*MULTIRUN) and any(word.startswith(LAUNCHER) for word in typed.overrides):
        launch([*typed.flags, *flags.with_layout(typed.overrides, catalogue)])
        return composed
    hydra_flags = [flag for flag in typed.flags if flag not in MULTIRUN]
    for line in lines:
        call_hydra([*hydra_flags, *line], lambda config: composed.append(extraction_of(config)))
    return composed


def call_hydra(arguments: Sequence[str], task: Callable[[Any], None]) -> None:
    """Let Hydra compose the config of a run and call `task` with it, or do what else its flags say. Raises UsageError.

    A launcher calls it in processes of its own, maybe on other machines.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from torch_zoo.utils.terminal.catalogue import CONFIGS
    from torch_zoo.utils.types import UsageError

    sys.argv[1:] = arguments
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here instead of Hydra's own report
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(str(error)) from error


def launch(arguments: Sequence[str]) -> None:
    """Let a launcher of Hydra's run every combination as a job, and wait for all of them. Raises UsageError."""
    import torch_zoo
    from torch_zoo.utils.types import UsageError

    if find_spec("submitit") is None and any(word.startswith(f"{LAUNCHER}submitit") for word in arguments):
        raise UsageError(f"{LAUNCHER}submitit_...: not installed; pip install hydra-submitit-launcher")
    package = str(Path(torch_zoo.__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))  # of the jobs
    call_hydra(arguments, job)


def extraction_of(config: Any) -> Extraction:
    """What Hydra has just composed."""
    from hydra.core.hydra_config import HydraConfig

    from torch_zoo.utils.terminal import grammar
    from torch_zoo.utils.terminal.catalogue import GROUPS

    composed = HydraConfig.get()
    given = grammar.values(composed.overrides.task)
    return Extraction(
        config,
        composed.runtime.choices["feature_type"],
        {name: value for name, value in given.items() if name not in GROUPS},
    )


def job(config: Any) -> None:
    """One run of a launcher, which raises what a job raised when all have ended."""
    from torch_zoo.utils.types import TorchZooError

    if failed := run(extraction_of(config)):
        raise TorchZooError(f"{failed} failed; the log of the job, under hydra.sweep.dir, lists them")


def run(extraction: Extraction) -> int:
    """Extract; returns the number of sources that failed."""
    from torch_zoo.utils import storage
    from torch_zoo.utils.options import Run, build, import_target, reject_unused_options, with_predictions
    from torch_zoo.utils.runs.recording import Recording, RunRecord
    from torch_zoo.utils.sinks.folder import FolderSink
    from torch_zoo.utils.sinks.settings import settings_of
    from torch_zoo.utils.sources import Inputs
    from torch_zoo.utils.terminal.known import CLASSES
    from torch_zoo.utils.terminal.progress import Progress, Reporting
    from torch_zoo.utils.types import Commit, Engine, Extractor, Outcome, OutputConflictError, Sink

    config, feature_type = extraction.config, extraction.feature_type
    settled = build(Run, config)
    targets = {group: import_target(config[group]._target_, group) for group in CLASSES}
    reject_unused_options(extraction.given, targets, [Inputs, Recording, Reporting, Run], feature_type)
    options = with_predictions(config, targets, feature_type)
    options = {**options, "folder": storage.join(settled.output_path, feature_type)}
    if settled.dry_run:
        return looked(options, targets, settled)
    extractor: Extractor
    sink: Sink
    engine: Engine
    extractor, sink, engine = (build(target, {**options, **config[group]}) for group, target in targets.items())
    reporting, overwrite = build(Reporting, options), settled.overwrite

    inputs = build(Inputs, options)
    selection = inputs.select()
    sources = selection.sources
    commit: Commit = sink.prepare(settings_of(extractor), sources, extractor.arrays, overwrite)
    kept = isinstance(sink, FolderSink)
    record = RunRecord(build(Recording, options), kept, feature_type, extraction.given, options)
    with (
        record,
        Progress(
            len(sources), reporting, sink.destination, selection.notes, selection.shard, extractor.timing, record.say
        ) as progress,
    ):

        def add(outcome: Outcome) -> None:
            progress.add(outcome)
            record.add(outcome)

        todo, missing = [], []
        for source in sources:
            try:
                done = not overwrite and sink.has(source, extractor.arrays)
            except OutputConflictError as conflict:
                add(Outcome(source, "failed", str(conflict)))
                continue
            if done:
                add(Outcome(source, "skipped"))
            elif reason := selection.missing.get(source.name):
                missing.append(Outcome(source, inputs.status_of_missing, reason))
            else:
                todo.append(source)
        progress.add_missing(missing)
        record.add_missing(missing)
        if not todo and not overwrite:
            commit()  # no worker will: record the settings of what has been adopted
        outcomes: Generator[Outcome, None, None] = engine.run(todo, extractor, sink, commit, record.tell)
        try:
            with closing(outcomes):
                for outcome in outcomes:
                    add(outcome)
        finally:
            sink.finish()
    return progress.failed


def looked(options: Mapping[str, Any], targets: Mapping[str, type], settled: Any) -> int:
    """Say what `run` would do; returns the number of sources that would fail."""
    from torch_zoo.utils.dry_run.run import dry_run
    from torch_zoo.utils.engines.worker_options import WorkerOptions
    from torch_zoo.utils.options import build
    from torch_zoo.utils.sources import Inputs
    from torch_zoo.utils.terminal.progress import Reporting

    extractor, sink, workers = (
        build(target, {**options, "keep_tmp_files": False, **options[group]})
        for group, target in {**targets, "engine": WorkerOptions}.items()  # the engine may ask for GPUs
    )
    return dry_run(extractor, sink, build(Inputs, options), workers, settled, build(Reporting, options))


if __name__ == "__main__":
    sys.exit(main())
