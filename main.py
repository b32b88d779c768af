"""Features of media files: python main.py feature_type=vggish video_paths="[clip.mp4]"; --help shows every option.

Exit codes: 0 all sources done, skipped or empty; 1 some failed; 2 the options are wrong; 130 interrupted.
Worker processes import this file again, so nothing heavy is imported before it is run.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main() -> None:
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from torch_zoo.utils.types import UsageError, WorkerError

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is an interrupt
    try:
        failed = sum(run(config, feature_type) for config, feature_type in compose(sys.argv[1:]))
    except (UsageError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except WorkerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; what is saved is whole, and the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    sys.exit(1 if failed else 0)


def compose(arguments: list[str]) -> list[tuple[DictConfig, str]]:
    """The composed config and its feature_type: one, more with --multirun, none where only help was asked for."""
    import hydra
    from hydra.core.hydra_config import HydraConfig

    from torch_zoo.utils.terminal import catalogue, flags, help

    overrides = flags.translate(arguments)
    if {"-h", "--help"} & set(overrides):
        print(help.text())
        return []
    if not any(word.startswith("-") for word in overrides):
        flags.check(overrides)

    composed: list[tuple[DictConfig, str]] = []

    def keep(config: DictConfig) -> None:
        composed.append((config, HydraConfig.get().runtime.choices["feature_type"]))

    sys.argv[1:] = overrides
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to main() instead of Hydra's own report
    hydra.main(version_base="1.3", config_path=str(catalogue.CONFIGS), config_name="config")(keep)()
    return composed


def run(config: DictConfig, feature_type: str) -> int:
    """Extract; returns the number of sources that failed."""
    from hydra.utils import get_class

    from torch_zoo.utils.options import Run, build, reject_unused_options
    from torch_zoo.utils.sources import Inputs
    from torch_zoo.utils.terminal.progress import Progress, Reporting
    from torch_zoo.utils.types import Commit, Engine, Extractor, Outcome, OutputConflictError, Sink

    settled = build(Run, config)
    folder = str(Path(settled.output_path) / feature_type)
    options = {**config, **config.engine, **config.on_extraction, "folder": folder}
    del options["_target_"]
    targets = [get_class(config[group]._target_) for group in ("feature_type", "on_extraction", "engine")]
    reject_unused_options(options, [*targets, Inputs, Reporting, Run], feature_type)
    extractor: Extractor
    sink: Sink
    engine: Engine
    extractor, sink, engine = (build(target, options) for target in targets)
    reporting, overwrite = build(Reporting, options), settled.overwrite

    sources = build(Inputs, options).sources()
    commit: Commit = sink.prepare(extractor.settings, sources, extractor.arrays, overwrite)
    with Progress(len(sources), reporting, sink.destination) as progress:
        todo = []
        for source in sources:
            try:
                done = not overwrite and sink.has(source, extractor.arrays)
            except OutputConflictError as conflict:
                progress.add(Outcome(source, "failed", str(conflict)))
                continue
            if done:
                progress.add(Outcome(source, "skipped"))
            else:
                todo.append(source)
        outcomes: Generator[Outcome, None, None] = engine.run(todo, extractor, sink, commit)
        try:
            with closing(outcomes):
                for outcome in outcomes:
                    progress.add(outcome)
        finally:
            sink.finish()
    return progress.failed


if __name__ == "__main__":
    main()
