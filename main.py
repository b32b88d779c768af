"""Features of media files: python main.py feature_type=vggish video_paths="[clip.mp4]"; --help lists what there is.

Exit codes: 0 all sources done, skipped or empty; 1 some failed; 2 the options are wrong; 130 interrupted.
Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch_zoo.utils.terminal.colors import styled
from torch_zoo.utils.terminal.exit_codes import command, explained

if TYPE_CHECKING:
    from torch_zoo.utils.dry_run.run import DryRun
    from torch_zoo.utils.runs.recording import RunRecord
    from torch_zoo.utils.sources import Inputs
    from torch_zoo.utils.terminal.progress import Reporting
    from torch_zoo.utils.types import Engine, Extractor, Sink

HELP, VERSION, MULTIRUN = ("-h", "--help"), ("--version",), ("-m", "--multirun")
LAUNCHER = "hydra/launcher="  # who runs the runs of --multirun
UNCHECKED = "-sc --shell-completion --hydra-help -i --info -cn --config-name -cp --config-path".split()


@dataclass(frozen=True)
class Extraction:
    """What is to be done in one run."""

    config: Any  # an omegaconf.DictConfig
    feature_type: str
    given: Mapping[str, Any]  # options that the user set, by name
    title: str = ""  # what sets it apart from the other runs of the command line


@dataclass(frozen=True)
class Parts:
    """What does it."""

    extractor: Extractor
    sink: Sink
    engine: Engine | DryRun
    inputs: Inputs
    reporting: Reporting
    record: RunRecord
    overwrite: bool


@command(interrupted="finished outputs are complete, and the same command continues from there")
def main(arguments: Sequence[str]) -> int:
    return max((exit_code_of(extraction) for extraction in compose(arguments)), default=0)


def exit_code_of(extraction: Extraction) -> int:
    """Run it; what goes wrong is said, and keeps no other run from its work."""
    if extraction.title:
        print(styled(extraction.title, "bold", stream=sys.stderr), file=sys.stderr)
    return explained(lambda: 1 if run(extraction) else 0)


def compose(arguments: Sequence[str]) -> list[Extraction]:
    """What is to be run here: an extraction for each feature_type or, with --multirun, combination. Raises UsageError.

    None where the user only asked for information, or chose a launcher of Hydra's: that has then run all of them.
    """
    import torch_zoo
    from torch_zoo.utils.terminal import checks, flags, grammar, help
    from torch_zoo.utils.terminal.catalogue import SWEPT, Catalogue
    from torch_zoo.utils.terminal.known import shared_out

    catalogue = Catalogue(flags.config_folders(arguments))
    typed = flags.translate(arguments, catalogue)
    if typed.has(*VERSION):
        print(f"torch-zoo {torch_zoo.__version__}")
        return []
    if typed.has(*HELP):
        print(help.text(catalogue, typed.overrides))
        return []
    checked = not typed.has(*UNCHECKED)
    if checked:
        checks.check_words(typed.overrides, catalogue)
    launched = typed.has(*MULTIRUN) and any(word.startswith(LAUNCHER) for word in typed.overrides)
    lines = grammar.combinations(typed.overrides, over=None if typed.has(*MULTIRUN) else [SWEPT])
    lines = [flags.for_one_run(line, catalogue) for line in (lines if launched else shared_out(lines, catalogue))]
    for line in lines if checked else ():
        checks.check(line, catalogue)
    if launched:
        launch([*typed.flags, *flags.for_one_run(typed.overrides, catalogue)])
        return []
    hydra_flags = [flag for flag in typed.flags if flag not in MULTIRUN]
    composed: list[Extraction] = []
    for line in lines:
        title = " ".join(word for word in line if not all(word in other for other in lines))
        call_hydra([*hydra_flags, *line], lambda config, title=title: composed.append(extraction_of(config, title)))
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
        said = str(error).partition("Config search path")[0]
        raise UsageError(" ".join(said.split())) from error


def launch(arguments: Sequence[str]) -> None:
    """Let a launcher of Hydra's run every combination as a job, and wait for all of them. Raises UsageError."""
    import torch_zoo
    from torch_zoo.utils.types import UsageError

    if find_spec("submitit") is None and any(word.startswith(f"{LAUNCHER}submitit") for word in arguments):
        raise UsageError(f"{LAUNCHER}submitit_...: not installed; pip install hydra-submitit-launcher")
    package = str(Path(torch_zoo.__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))  # of the jobs
    call_hydra(arguments, job)


def extraction_of(config: Any, title: str = "") -> Extraction:
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
        title,
    )


def job(config: Any) -> None:
    """One run of a launcher, which raises what a job raised when all have ended."""
    from torch_zoo.utils.types import TorchZooError

    if failed := run(extraction_of(config)):
        raise TorchZooError(f"{failed} failed; the log of the job, under hydra.sweep.dir, lists them")


def run(extraction: Extraction) -> int:
    """Extract; returns the number of sources that failed or, in a dry run, would fail."""
    from torch_zoo.utils.dry_run.run import DryRun
    from torch_zoo.utils.sinks.present import settled
    from torch_zoo.utils.sinks.settings import settings_of
    from torch_zoo.utils.terminal.about import About, settings
    from torch_zoo.utils.terminal.progress import Progress
    from torch_zoo.utils.types import Outcome

    parts = assemble(extraction)
    extractor, sink = parts.extractor, parts.sink
    if isinstance(parts.engine, DryRun):
        return parts.engine.look(extractor, sink, parts.inputs)
    selection = parts.inputs.select()
    commit = sink.prepare(settings_of(extractor), selection.sources, extractor.arrays, parts.overwrite)
    about = About(
        feature_type=extraction.feature_type,
        settings=settings(extraction.given, extractor),
        notes=selection.notes,
        shard=selection.shard,
        timing=extractor.timing,
        destination=sink.destination,
    )
    with parts.record as record, Progress(parts.reporting, about, record.say) as progress:

        def add(outcome: Outcome) -> None:
            progress.add(outcome)
            record.add(outcome)

        def tell(worker: str, news: object) -> None:
            progress.tell(worker, news)
            record.tell(worker, news)

        todo, missing = [], []
        for source in selection.sources:
            if outcome := settled(source, sink, extractor.arrays, parts.overwrite):
                add(outcome)
            elif reason := selection.missing.get(source.name):
                missing.append(Outcome(source, parts.inputs.status_of_missing, reason))
            else:
                todo.append(source)
        progress.add_missing(missing)
        record.add_missing(missing)
        progress.begin(todo)
        if not todo and not parts.overwrite:
            commit()  # no worker will: record the settings of what has been adopted
        try:
            with closing(parts.engine.run(todo, extractor, sink, commit, tell)) as outcomes:
                for outcome in outcomes:
                    add(outcome)
        finally:
            sink.finish()
    return progress.failed


def assemble(extraction: Extraction) -> Parts:
    """Build what the options describe. Raises UsageError."""
    from torch_zoo.utils import storage
    from torch_zoo.utils.dry_run.run import DryRun
    from torch_zoo.utils.options import Run, build, import_target, reject_unused_options, with_predictions
    from torch_zoo.utils.runs.recording import Recording, RunRecord
    from torch_zoo.utils.sinks.folder import FolderSink
    from torch_zoo.utils.sources import Inputs
    from torch_zoo.utils.terminal.known import CLASSES
    from torch_zoo.utils.terminal.progress import Reporting

    config, feature_type = extraction.config, extraction.feature_type
    run_options = build(Run, config)
    targets: dict[str, Any] = {group: import_target(config[group]._target_, group) for group in CLASSES}
    reject_unused_options(extraction.given, targets, [Inputs, Recording, Reporting, Run], feature_type)
    options = with_predictions(config, targets, feature_type)
    options = {**options, "folder": storage.join(run_options.output_path, feature_type)}
    if run_options.dry_run:  # which needs no GPU, and leaves the files of keep_tmp_files alone
        targets, options = {**targets, "engine": DryRun}, {**options, "keep_tmp_files": False}
    extractor, sink, engine = (build(target, {**options, **config[group]}) for group, target in targets.items())
    kept = isinstance(sink, FolderSink)
    record = RunRecord(build(Recording, options), kept, feature_type, extraction.given, options)
    return Parts(
        extractor, sink, engine, build(Inputs, options), build(Reporting, options), record, run_options.overwrite
    )


if __name__ == "__main__":
    sys.exit(main())
