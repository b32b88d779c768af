"""Is a command line right? Every word is an option, every option is known and has one value."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from torch_zoo.utils import storage
from torch_zoo.utils.terminal.catalogue import GROUPS, Catalogue, nearest
from torch_zoo.utils.terminal.flags import kinds, nearest_flag, option_types
from torch_zoo.utils.terminal.grammar import is_change, parse, quote
from torch_zoo.utils.terminal.known import check_given
from torch_zoo.utils.types import UsageError

_NAME = re.compile(r"(\+{0,2}|~)[A-Za-z_][\w./@:-]*")


def check_words(words: Sequence[str], catalogue: Catalogue) -> None:
    """Raise UsageError for a word that is not name=value, with what was probably meant."""
    for word in words:
        name, equals, value = word.partition("=")
        if equals and value and _NAME.fullmatch(name):
            continue
        if equals and _NAME.fullmatch(name):
            raise UsageError(f"{word}: no value is given")
        if equals or not word.startswith("~"):
            raise UsageError(f"{word}: options are written name=value{_meant(name, value, catalogue)}")


def check(words: Sequence[str], catalogue: Catalogue) -> None:
    """Raise UsageError for an option or a choice that does not exist, or for a sweep."""
    overrides = [parse(word) for word in words]
    given = {
        override.key_or_group: word.partition("=")[2].strip("'\"")
        for word, override in zip(words, overrides, strict=True)
    }
    check_given(given, catalogue, {override.key_or_group for override in overrides if not is_change(override)})
    types = option_types(catalogue, given)
    for word, override in zip(words, overrides, strict=True):
        if override.is_sweep_override():
            raise UsageError(f"{word}: {_instead_of_sweep(word, kinds(types.get(override.key_or_group)))}")


def _meant(name: str, value: str, catalogue: Catalogue) -> str:
    names, word = catalogue.all_names(), name.strip()
    bare = word.lstrip("".join(sign for sign in word if unicodedata.category(sign) == "Pd"))
    if not bare:
        return ", without spaces"
    if bare != word:
        return nearest_flag(bare, names)
    if word in names:
        value = value.strip(" '\"")
        return f", without spaces: {word}={value or 'VALUE'}"
    if word.endswith("]"):
        return ', a list in quotes: name="[a, b]"'
    for group in GROUPS:
        if word.lower() in catalogue.choices(group):
            return f"; did you mean {group}={word.lower()}?"
    before, _, after = word.partition(":")
    if before in names:
        return f"; did you mean {before}={after}?"
    if re.search(r"[./\\]", word) or storage.exists(word):
        return f", e.g. video_paths={quote(word)}"
    return nearest_flag(word, ()) or nearest(word, names) or "; --help lists them"


def _instead_of_sweep(word: str, types: set[object]) -> str:
    name, _, value = word.partition("=")
    if list in types:
        return f'a list is written in brackets: {name}="[{value}]"'
    if float in types and re.fullmatch(r"\d+,\d+", value):
        return f"a number is written with a point: {name}={value.replace(',', '.')}"
    return "one value per run; add --multirun for a run with each"
