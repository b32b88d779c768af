"""Features of media files: python main.py feature_type=vggish video_paths="[clip.mp4]"; --help shows every option.

Exit codes: 0 all sources done, skipped or empty; 1 some failed; 2 the options are wrong; 130 interrupted.
Worker processes import this file again, so nothing heavy is imported before it is run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch_zoo.utils.terminal.exit_codes import command

HELP, VERSION, MULTIRUN = ("-h", "--help"), ("--version",), ("-m", "--multirun")
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
    """One extraction, several with --multirun, none where the user only asked for information. Raises UsageError."""
    import torch_zoo
    from torch_zoo.utils.terminal import checks, flags, grammar, help
    from torch_zoo.utils.terminal.catalogue import Catalogue

    catalogue = Catalogue(flags.config_folders(arguments))
    typed = flags.translate(arguments, catalogue)
    if typed.has(*VERSION):
        print(f"torch-zoo {torch_zoo.__version__}")
        return []
    if typed.has(*HELP):
        print(help.text(catalogue, grammar.values(typed.overrides)))
        return []
    lines = grammar.combinations(typed.overrides) if typed.has(*MULTIRUN) else [list(typed.overrides)]
    if not typed.has(*UNCHECKED):
        for line in lines:
            checks.check(line, catalogue)
    hydra_flags = [flag for flag in typed.flags if flag not in MULTIRUN]
    return [extraction for line in lines for extraction in compose_line(hydra_flags, line)]


def compose_line(hydra_flags: Sequence[str], overrides: Sequence[str]) -> list[Extraction]:
    """Let Hydra compose the config of one run, or do what else its flags say. Raises UsageError."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from torch_zoo.utils.terminal import grammar
    from torch_zoo.utils.terminal.catalogue import CONFIGS, GROUPS
    from torch_zoo.utils.types import UsageError

    composed: list[Extraction] = []

    def keep(config: Any) -> None:
        feature_type = HydraConfig.get().runtime.choices["feature_type"]
        given = {name: value for name, value in grammar.values(overrides).items() if name not in GROUPS}
        composed.append(Extraction(config, feature_type, given))

    sys.argv[1:] = [*hydra_flags, *overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here instead of Hydra's own report
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")(keep)()
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(str(error)) from error
    return composed


def run(extraction: Extraction) -> int:
    """Extract; returns the number of sources that failed."""
    from torch_zoo.utils.options import Run, build, import_target, reject_unused_options
    from torch_zoo.utils.sources import Inputs
    from torch_zoo.utils.terminal.checks import CLASSES
    from torch_zoo.utils.terminal.progress import Progress, Reporting
    from torch_zoo.utils.types import Commit, Engine, Extractor, Outcome, OutputConflictError, Sink

    config, feature_type = extraction.config, extraction.feature_type
    settled = build(Run, config)
    options = {**config, "folder": str(Path(settled.output_path) / feature_type)}
    targets = {group: import_target(config[group]._target_, group) for group in CLASSES}
    reject_unused_options(extraction.given, targets, [Inputs, Reporting, Run], feature_type)
    extractor: Extractor
    sink: Sink
    engine: Engine
    extractor, sink, engine = (build(target, {**options, **config[group]}) for group, target in targets.items())
    reporting, overwrite = build(Reporting, options), settled.overwrite

    inputs = build(Inputs, options)
    selection = inputs.select()
    sources = selection.sources
    commit: Commit = sink.prepare(extractor.settings, sources, extractor.arrays, overwrite)
    with Progress(len(sources), reporting, sink.destination, selection.notes, selection.shard) as progress:
        todo, missing = [], []
        for source in sources:
            try:
                done = not overwrite and sink.has(source, extractor.arrays)
            except OutputConflictError as conflict:
                progress.add(Outcome(source, "failed", str(conflict)))
                continue
            if done:
                progress.add(Outcome(source, "skipped"))
            elif reason := selection.missing.get(source.name):
                missing.append(Outcome(source, inputs.status_of_missing, reason))
            else:
                todo.append(source)
        progress.add_missing(missing)
        if not todo and not overwrite:
            commit()  # no worker will: record the settings of what has been adopted
        outcomes: Generator[Outcome, None, None] = engine.run(todo, extractor, sink, commit)
        try:
            with closing(outcomes):
                for outcome in outcomes:
                    progress.add(outcome)
        finally:
            sink.finish()
    return progress.failed


if __name__ == "__main__":
    sys.exit(main())
