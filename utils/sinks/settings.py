"""A folder of features holds those of one setting only; `extraction.yaml` says which."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from utils.files import whole
from utils.types import UsageError

FILE_NAME = "extraction.yaml"
HEADER = "# The settings that all features in this folder were made with.\n"


def claim_folder(folder: Path, settings: Mapping[str, object], names: set[str], overwrite: bool) -> None:
    """Make `folder` one of `settings`. Raises UsageError if it has features of others that would stay.

    They do not stay if the run overwrites and works on all of the `names` that the folder has files of.
    """
    record = folder / FILE_NAME
    different = _differences(record, settings)
    if different and not (overwrite and _only_files_of(folder, names)):
        raise UsageError(
            f"{folder} holds features made with {different}; choose another output_path, the settings as they were, "
            "or overwrite=true with all of its sources"
        )
    if different or not record.exists():
        try:
            with whole(record) as partial:
                partial.write_text(HEADER + yaml.safe_dump(dict(settings), sort_keys=False))
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


def _only_files_of(folder: Path, names: set[str]) -> bool:
    files = (path.name for path in folder.iterdir() if not path.name.startswith("."))
    outputs = (name for name in files if name not in (FILE_NAME, "failures.csv"))
    return all(any(name[:cut] in names for cut in range(len(name)) if name[cut] == "_") for name in outputs)
