"""A folder of features holds those of one set of settings only; `extraction.yaml` says which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from torch_zoo.utils.files import atomic_write
from torch_zoo.utils.sinks.journal import running
from torch_zoo.utils.sinks.provenance import JOURNALS, locked
from torch_zoo.utils.types import AddedSetting, Commit, UsageError

FILE_NAME = "extraction.yaml"
HEADER = "# The settings that all features in this folder were made with.\n"
SUFFIXES = frozenset({".npy", ".pkl", ".tfrecord", ".parquet", ".journal"})  # of files that hold features

# Names and values that older records have.
RENAMED = {"colours": "color_matrix", "fps_filter": "fps_method"}
RENAMED_VALUES: Mapping[tuple[str, object], str] = {
    ("fps_method", "timestamps"): "select",
    ("fps_method", "ffmpeg"): "reencode",
    ("layout", "demo"): "embeddings",
}


def claim_folder(folder: Path, settings: Mapping[str, object], *, overwritten: set[Path], adopt: bool) -> Commit:
    """May `folder` become one of `settings`? Raises UsageError if it has features of others that would stay.

    `adopt` says that features without a record were made with these settings. What it returns makes it so: features of
    others are removed at once, so that an interrupted run leaves no mixture.
    """
    record = folder / FILE_NAME
    found = _read(record)
    different = _differences(record, found, settings)
    stale = _outputs(folder) if different or (found is None and not adopt) else set()
    if kept := stale - overwritten:
        raise UsageError(_refusal(folder, different, min(kept)))
    if different and running(folder, JOURNALS):
        raise UsageError(f"{folder}: another run is writing features with {different}; choose another output_path")
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)

    def commit() -> None:
        with _writing_to(folder), locked(folder):
            now = _read(record)
            if now != found and (theirs := _differences(record, now, settings)):
                raise UsageError(f"{folder}: another run began there with {theirs}; choose another output_path")
            for path in stale:
                path.unlink(missing_ok=True)
            if different or now is None:
                with atomic_write(record) as partial:
                    partial.write_text(HEADER + yaml.safe_dump(_plain(settings), sort_keys=False))

    return commit


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"output_path: cannot write to {folder} ({error.strerror})") from error


def _refusal(folder: Path, different: str, example: Path) -> str:
    if different:
        return (
            f"{folder} holds features made with {different}; choose another output_path, the settings as they were, "
            "or overwrite=true with all of its sources"
        )
    return (
        f"{folder} holds features, such as {example.name}, but no {FILE_NAME} that tells their settings; choose "
        "another output_path, or adopt=true if they were made with the settings of this run"
    )


def _read(record: Path) -> bytes | None:
    try:
        return record.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{record}: cannot be read ({error.strerror})") from error


def _differences(record: Path, content: bytes | None, settings: Mapping[str, object]) -> str:
    """`name=theirs (now ours)` for each setting that differs."""
    if content is None:
        return ""
    try:
        stored = _in_todays_words(dict(yaml.safe_load(content)))
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise UsageError(f"{record}: unreadable; delete it if the features beside it may be mixed") from error
    before = {name: setting.before for name, setting in settings.items() if isinstance(setting, AddedSetting)}
    theirs, ours = {**before, **stored}, _plain(settings)
    return ", ".join(
        f"{name}={theirs.get(name)} (now {ours.get(name)})"
        for name in {**ours, **theirs}
        if theirs.get(name) != ours.get(name)
    )


def _in_todays_words(stored: Mapping[str, object]) -> dict[str, object]:
    named = {RENAMED.get(name, name): value for name, value in stored.items()}
    return {
        name: RENAMED_VALUES.get((name, value), value) if isinstance(value, str) else value
        for name, value in named.items()
    }


def _plain(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: setting.value if isinstance(setting, AddedSetting) else setting for name, setting in settings.items()}


def _outputs(folder: Path) -> set[Path]:
    return {path for path in folder.glob("*") if path.suffix in SUFFIXES}
