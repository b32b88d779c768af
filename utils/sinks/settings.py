"""A folder of features holds those of one set of settings only; `extraction.yaml` says which."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path, PurePath

import yaml

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.record import Record
from torch_zoo.utils.types import AddedSetting, Commit, Extractor, UsageError

FILE_NAME = "extraction.yaml"
HEADER = "# The settings that all features in this folder were made with.\n"
SUFFIXES = frozenset({".npy", ".npz", ".pkl", ".tfrecord", ".parquet", ".h5", ".tar", ".journal"})  # of features
CSV = re.compile(r"predictions(-\d+)?\.csv")  # other tables may be lists of the user

# Names and values that older records have.
RENAMED = {"colours": "color_matrix", "fps_filter": "fps_method", "layout": "record_fields"}
RENAMED_VALUES: Mapping[tuple[str, object], str] = {
    ("fps_method", "timestamps"): "select",
    ("fps_method", "ffmpeg"): "reencode",
    ("record_fields", "demo"): "embeddings",
}


def settings_of(extractor: Extractor) -> dict[str, object]:
    """What is recorded of an extractor: its settings, and their consequence for whoever reads the features."""
    timing = extractor.timing and asdict(extractor.timing)
    return {**extractor.settings, "timing": AddedSetting(timing, before=timing)}


def claim_folder(
    folder: str, settings: Mapping[str, object], record: Record, *, overwritten: Set[str], adopt: bool
) -> Commit:
    """May `folder` become one of `settings`? Raises UsageError if it has features of others that would stay.

    `overwritten` are the files in it that will be written again; `adopt` says that features without a record were made
    with these settings. What it returns makes it so: features of others are removed at once, so that an interrupted run
    leaves no mixture. Where nothing can be locked, of two runs that begin together the later one stays.
    """
    file = storage.join(folder, FILE_NAME)
    found = _read(file)
    different = _differences(file, found, settings)
    stale = _outputs(folder) if different or (found is None and not adopt) else set()
    if kept := stale - overwritten:
        raise UsageError(_refusal(folder, different, min(kept)))
    if different and (occupied := record.occupied(overwriting=bool(overwritten))):
        raise UsageError(f"{folder}: {occupied} with {different}; choose another output_path")

    def commit() -> None:
        with _writing_to(folder), record.locked():
            now = _read(file)
            if now != found:
                _refuse_others(folder, _differences(file, now, settings))
            for name in stale:
                storage.remove(storage.join(folder, name))
            if different or now is None:
                content = (HEADER + yaml.safe_dump(_plain(settings), sort_keys=False)).encode()
                with storage.atomic_write(file) as writing:
                    writing.write(content)
                if (now := _read(file)) != content:
                    _refuse_others(folder, _differences(file, now, settings))

    return commit


def make_folder(folder: str) -> None:
    """Raises UsageError."""
    with _writing_to(folder):
        if not storage.is_url(folder):
            Path(storage.local(folder)).mkdir(parents=True, exist_ok=True)


def check_writable(folder: str) -> None:
    """Raise UsageError if a local folder can't be made, or written to; an object store is not asked."""
    if storage.is_url(folder):
        return
    path = Path(storage.local(folder)).absolute()
    nearest = next(each for each in (path, *path.parents) if each.exists())
    with _writing_to(folder):
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _refuse_others(folder: str, theirs: str) -> None:
    if theirs:
        raise UsageError(f"{folder}: another run began there with {theirs}; choose another output_path")


@contextmanager
def _writing_to(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"output_path: cannot write to {folder} ({storage.reason(error)})") from error


def _refusal(folder: str, different: str, example: str) -> str:
    if different:
        return (
            f"{folder} holds features made with {different}; choose another output_path, the settings as they were, "
            "or overwrite=true with all of its sources"
        )
    return (
        f"{folder} holds features, such as {example}, but no {FILE_NAME} that tells their settings; choose "
        "another output_path, or adopt=true if they were made with the settings of this run"
    )


def _read(file: str) -> bytes | None:
    try:
        with storage.open_read(file) as reading:
            return reading.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({storage.reason(error)})") from error


def _differences(file: str, content: bytes | None, settings: Mapping[str, object]) -> str:
    """`name=theirs (now ours)` for each setting that differs."""
    if content is None:
        return ""
    try:
        stored = _in_todays_words(dict(yaml.safe_load(content)))
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: unreadable; delete it if the features beside it may be mixed") from error
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


def _outputs(folder: str) -> set[str]:
    return {name for name in storage.listing(folder) if PurePath(name).suffix in SUFFIXES or CSV.fullmatch(name)}
