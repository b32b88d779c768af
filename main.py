"""Features of media files: python main.py feature_type=vggish video_paths="[clip.mp4]"; --help lists what there is.

Exit codes: 0 all sources done, skipped or empty; 1 some failed; 2 the options are wrong; 130 interrupted.
Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch_zoo.utils.terminal.colors import styled
from torch_zoo.utils.terminal.exit_codes import command, explained

if TYPE_CHECKING:
    from torch_zoo.utils.assembly import Parts
    from torch_zoo.utils.engines.engine import Engine
    from torch_zoo.utils.types import Commit, Outcome, Source

HELP, VERSION = ("-h", "--help"), ("--version",)


@dataclass(frozen=True)
class Extraction:
    """What is to be done in one run."""

    config: Any  # an omegaconf.DictConfig
    choices: Mapping[str, str]  # of each config group
    given: Mapping[str, Any]  # options that the user set, by name
    presets: Mapping[str, str]  # what the user chose that sets other options: preset, layout
    title: str = ""  # what sets it apart from the other runs of the command line

    def assemble(self) -> Parts:
        """Raises UsageError."""
        from torch_zoo.utils.assembly import assemble

        return assemble(self.choices, self.config, self.given)


@command(interrupted="finished outputs are complete, and the same command continues from there")
def main(arguments: Sequence[str]) -> int:
    extractions = compose(arguments)
    for later in extractions[1:]:
        later.assemble()  # wrong options end the command before any work
    return max(map(exit_code_of, extractions), default=0)


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
    from torch_zoo.utils.terminal import command_lines, flags, help
    from torch_zoo.utils.terminal.catalogue import Catalogue

    catalogue = Catalogue(flags.config_folders(arguments))
    typed = flags.translate(arguments, catalogue)
    if typed.has(*VERSION):
        print(f"torch-zoo {torch_zoo.__version__}")
        return []
    if typed.has(*HELP):
        print(help.text(catalogue, typed.overrides))
        return []
    lines = command_lines.of_each_run(typed, catalogue)
    if command_lines.are_launched(typed):
        launch([*typed.flags, *command_lines.of_one_run(typed.overrides, catalogue)])
        return []
    hydra_flags = [flag for flag in typed.flags if flag not in command_lines.MULTIRUN]
    composed: list[Extraction] = []
    for line in lines:
        call_hydra([*hydra_flags, *line], lambda config: composed.append(extraction_of(config)))
    titles = [" ".join(word for word in line if not all(word in other for other in lines)) for line in lines]
    return [replace(extraction, title=title) for extraction, title in zip(composed, titles, strict=bool(composed))]


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
    from torch_zoo.utils.terminal.command_lines import LAUNCHER
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
    from torch_zoo.utils.terminal.known import CLASSES

    composed = HydraConfig.get()
    given = grammar.values(composed.overrides.task)
    return Extraction(
        config,
        composed.runtime.choices,
        {name: value for name, value in given.items() if name not in GROUPS},
        {name: str(value) for name, value in given.items() if name in GROUPS and name not in CLASSES},
    )


def job(config: Any) -> None:
    """One run of a launcher, which raises what a job raised when all have ended."""
    from torch_zoo.utils.types import TorchZooError

    if failed := run(extraction_of(config)):
        raise TorchZooError(f"{failed} failed; the log of the job, under hydra.sweep.dir, lists them")


def run(extraction: Extraction) -> int:
    """Extract; returns the number of sources that failed or, in a dry run, would fail."""
    from torch_zoo.utils.dry_run.run import DryRun

    parts = extraction.assemble()
    if isinstance(parts.engine, DryRun):
        return parts.engine.look(parts)
    with parts.claims:  # until it is left, other runs can see this one
        return extract(extraction, parts, parts.engine)


def extract(extraction: Extraction, parts: Parts, engine: Engine) -> int:
    """Extract, and wait for what other runs extract into the same folder; returns the number of failures."""
    from torch_zoo.utils.engines.news import Computed
    from torch_zoo.utils.sinks.settings import settings_of
    from torch_zoo.utils.terminal.about import About, settings
    from torch_zoo.utils.terminal.progress import Progress
    from torch_zoo.utils.types import Outcome

    extractor, sink, claims = parts.extractor, parts.sink, parts.claims
    selection = parts.retry.select(parts.inputs)
    commit = sink.prepare(settings_of(extractor), selection.sources, extractor.arrays, parts.overwrite)
    given_up = parts.retry.given_up(selection.sources, extractor) if sink.destination else {}
    about = About(
        feature_type=extraction.choices["feature_type"],
        settings=settings(extraction.presets, extraction.given, extractor),
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

        def take(source: Source) -> bool:
            if claims.take(source):
                return True
            progress.tell("", Computed(source, 0.0))  # elsewhere
            return False

        def compute(sources: Sequence[Source], commit: Commit) -> None:
            try:
                with closing(engine.run(sources, extractor, sink, commit, tell, take)) as outcomes:
                    for outcome in outcomes:
                        claims.settle(outcome)
                        add(outcome)
                claims.wait_until_known()
            finally:
                sink.finish()

        todo, missing, known = [], [], []
        for source in selection.sources:
            if outcome := parts.settled(source, parts.overwrite):
                add(outcome)
            elif reason := selection.missing.get(source.name):
                missing.append(Outcome(source, parts.inputs.status_of_missing, reason))
            elif source.name in given_up:
                known.append(given_up[source.name])
            else:
                todo.append(source)
        progress.add_missing(missing)
        progress.add_known(known)
        record.add_untried([*missing, *known])
        progress.begin(todo)
        if not todo and not parts.overwrite:
            commit()  # no worker will: record the settings of what has been adopted
        compute(todo, commit)
        while claims.left:
            if claims.holders:
                progress.say(f"waiting for the sources that other runs extract: {', '.join(claims.holders)}")
            ended = claims.wait()
            commit = sink.prepare(settings_of(extractor), ended, extractor.arrays, overwrite=False)
            todo = []
            for source in ended:
                if outcome := parts.settled(source, overwrite=False) or claims.outcome(source):
                    add(outcome)
                else:
                    todo.append(source)
            compute(todo, commit)
        return progress.failed


if __name__ == "__main__":
    sys.exit(main())
