"""Overrides in Hydra's grammar, name=value: read, quoted, and swept over. Nothing else here knows Hydra."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from torch_zoo.utils.types import UsageError

__all__ = ["Override", "combinations", "is_change", "parse", "quote", "readable", "values"]


def parse(word: str) -> Override:
    """Raises UsageError for what is no override, or not readable."""
    name = word.partition("=")[0]
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        raise UsageError(
            f"{name}: unreadable; quote each name that has spaces, brackets, commas or '=' in it, "
            f"{name}=\"['a b.mp4','c.mp4']\", or use the other spelling: --{name} 'a b.mp4' c.mp4"
        ) from None


def quote(text: str) -> str:
    """A value that means exactly this text."""
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)  # not OmegaConf's interpolation
    escaped = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), literal)
    return f"'{escaped}'"


def readable(word: str) -> str:
    """`video_paths=/a (1).mp4` -> `video_paths='/a (1).mp4'`, where Hydra could not read it as it stands."""
    name, equals, value = word.partition("=")
    if not equals or value.startswith(("[", "'", '"')):
        return word
    try:
        parse(word)
    except UsageError:
        return f"{name}={quote(value)}"
    return word


def is_change(override: Override) -> bool:
    """Does it set an option that must exist, unlike +name=value and ~name?"""
    return override.type == OverrideType.CHANGE


def values(words: Sequence[str]) -> dict[str, Any]:
    """What the options that are set, not Hydra's own, are set to."""
    parsed = [override for override in map(parse, words) if not (override.is_delete() or override.is_hydra_override())]
    return {override.key_or_group: override.value() for override in parsed}


def combinations(words: Sequence[str], over: Collection[str] | None = None) -> list[list[str]]:
    """The command lines of a sweep: `a=1,2 b=3,4` -> `a=1 b=3`, `a=1 b=4`, `a=2 b=3`, `a=2 b=4`.

    `over` names the options whose values are combined; None = all.
    """
    parts = (_swept(word) if over is None or word.partition("=")[0] in over else [word] for word in words)
    return [list(line) for line in product(*parts)]


def _swept(word: str) -> list[str]:
    override = parse(word)
    if not override.is_sweep_override():
        return [word]
    if not override.is_discrete_sweep():
        raise UsageError(f"{word}: a sweep lists its values: {override.key_or_group}=a,b or range(1,4)")
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
