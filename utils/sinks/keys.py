"""The option `keys`: which arrays of a source are stored, and under which names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch_zoo.utils.types import UsageError

Keys = list[str] | dict[str, str] | None  # null = all; a mapping also gives the name of each


def check_keys(keys: Keys, separator: str | None = None) -> None:
    """Raise UsageError if these are no keys; `separator` may divide the names that a mapping gives them."""
    if keys is None:
        return
    words: list[object] = []
    if isinstance(keys, list | dict):
        names = keys.values() if isinstance(keys, dict) else ()
        words = [*keys, *(part for name in names for part in (str(name).split(separator) if separator else [name]))]
    if not words or not all(map(_is_word, words)):
        raise UsageError(f"keys={keys}: must be a list of keys, e.g. [rgb,flow], or null for all")


def stored_names(keys: Keys, available: Iterable[str]) -> Mapping[str, str]:
    """Of the arrays that are stored, their names in the file. Raises UsageError if one is not there."""
    if keys is None:
        return {key: key for key in available}
    names = keys if isinstance(keys, dict) else {key: key for key in keys}
    for key in names:
        if key not in available:
            hint = f"; ~keys.{key} leaves it out" if isinstance(keys, dict) and len(names) > 1 else ""
            raise UsageError(f"keys={keys}: there is no array {key}; there are: {', '.join(available)}{hint}")
    return names


def _is_word(word: object) -> bool:
    return isinstance(word, str) and word != "" and "/" not in word
