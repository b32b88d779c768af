"""Is a command line right? Every option in it is known, and given one value."""

from __future__ import annotations

from collections.abc import Sequence

from torch_zoo.utils.terminal.catalogue import GROUPS, Catalogue
from torch_zoo.utils.terminal.grammar import Override, is_change, parse
from torch_zoo.utils.terminal.known import check_given
from torch_zoo.utils.types import UsageError


def check(words: Sequence[str], catalogue: Catalogue) -> None:
    """Raise UsageError for an option or a choice that does not exist, or for a sweep."""
    overrides = [parse(word) for word in words]
    for word, override in zip(words, overrides, strict=True):
        _check_single(word, override)
    given = {override.key_or_group: str(override.value()) for override in overrides}
    check_given(given, catalogue, {override.key_or_group for override in overrides if not is_change(override)})


def _check_single(word: str, override: Override) -> None:
    name, _, value = word.partition("=")
    several = override.is_sweep_override() or (name in GROUPS and isinstance(override.value(), list))
    if several and name in GROUPS:
        raise UsageError(f"{word}: one {name} per run; run it once for each, or add --multirun")
    if several:
        raise UsageError(f'{word}: a list is written in brackets: {name}="[{value}]"')
