"""A folder of features holds those of one setting only; `extraction.yaml` says which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.types import Commit, UsageError

FILE_NAME = "extraction.yaml"
HEADER = "# The settings that all features in this folder were made with.\n"


def claim_folder(folder: Path, settings: Mapping[str, object], overwritten: set[Path]) -> Commit:
    """May `folder` become one of `settings`? Raises UsageError if it has features of others that would stay.

    What it returns makes it so: features of others go at once, so that an interrupted run leaves no mixture.
    """
    record = folder / FILE_NAME
    different = _differences(record, settings)
    there = _outputs(folder) if different else set()
    if there - overwritten:
        raise UsageError(
            f"{folder} holds features made with {different}; choose another output_path, the settings as they were, "
            "or overwrite=true with all of its sources"
        )
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)

    def commit() -> None:
        if different or not record.exists():
            with _writing_to(folder):
                for path in there:
                    path.unlink()
                with atomic_write(record) as partial:
                    partial.write_text(HEADER + yaml.safe_dump(dict(settings), sort_keys=False))

    return commit


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"output_path: cannot write to {folder} ({error.strerror})") from error


def _differences(record: Path, settings: Mapping[str, object]) -> str:
    """`name=theirs (now ours)` for each setting that differs."""
    if not record.exists():
        return ""
    try:
        stored = dict(yaml.safe_load(record.read_text()))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UsageError(f"{record}: unreadable; delete it if the features beside it may be mixed") from error
    names = [*settings, *(name for name in stored if name not in settings)]
    return ", ".join(
        f"{name}={stored.get(name)} (now {settings.get(name)})"
        for name in names
        if stored.get(name) != settings.get(name)
    )


def _outputs(folder: Path) -> set[Path]:
    return {path for path in folder.glob("[!.]*") if path.name not in (FILE_NAME, "failures.csv")}
