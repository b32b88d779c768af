"""Are the options and choices of a command line known? A wrong one is named, with the nearest right one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch_zoo.utils.terminal.catalogue import GROUPS, Catalogue, nearest
from torch_zoo.utils.terminal.grammar import Override, is_change, parse
from torch_zoo.utils.types import UsageError

CLASSES = ("feature_type", "on_extraction", "engine")  # groups whose options go to classes that know nothing of others


def check(words: Sequence[str], catalogue: Catalogue) -> None:
    """Raise UsageError for an option or a choice that does not exist, or for a sweep."""
    overrides = [parse(word) for word in words]
    for word, override in zip(words, overrides, strict=True):
        _check_single(word, override)
        if override.key_or_group in GROUPS:
            _check_choice(override.key_or_group, str(override.value()), catalogue)
    given = {override.key_or_group: str(override.value()) for override in overrides}
    chosen = catalogue.chosen(given)
    _check_clash(chosen, catalogue)
    offered = {option.name for option in catalogue.common()}
    offered |= {option.name for group, choice in chosen.items() for option in catalogue.of_choice(group, choice)}
    for override in overrides:
        name = override.key_or_group
        if name not in offered and is_change(override) and not name.startswith("hydra"):
            hint = _elsewhere(name, catalogue) or nearest(name, offered)
            raise UsageError(f"{name}: there is no such option{hint}")
    if "feature_type" not in chosen:
        raise UsageError(f"feature_type is required; there are: {', '.join(catalogue.choices('feature_type'))}")


def _check_single(word: str, override: Override) -> None:
    name, _, value = word.partition("=")
    several = override.is_sweep_override() or (name in GROUPS and isinstance(override.value(), list))
    if several and name in GROUPS:
        raise UsageError(f"{word}: one {name} per run; run it once for each, or add --multirun")
    if several:
        raise UsageError(f'{word}: a list is written in brackets: {name}="[{value}]"')


def _check_choice(group: str, choice: str, catalogue: Catalogue) -> None:
    choices = catalogue.choices(group)
    if choice not in choices:
        listed = ", ".join(choices)
        raise UsageError(f"{group}={choice}: there is no such choice{nearest(choice, choices)} (there are: {listed})")


def _check_clash(chosen: Mapping[str, str], catalogue: Catalogue) -> None:
    """Options of one name at the top level would be one option."""
    owners: dict[str, str] = {}
    for group in CLASSES:
        for option in catalogue.of_choice(group, chosen[group]) if group in chosen else ():
            if option.name in GROUPS:
                continue
            other = owners.setdefault(option.name, group)
            if other != group:
                raise UsageError(
                    f"{other}={chosen[other]} and {group}={chosen[group]} both define the option {option.name}; "
                    f"leave `# @package _global_` out of {group}/{chosen[group]}.yaml: {group}.{option.name} is another"
                )


def _elsewhere(name: str, catalogue: Catalogue) -> str:
    for group in GROUPS:
        for choice in catalogue.choices(group):
            if name in {option.name for option in catalogue.of_choice(group, choice)}:
                return f" here; it belongs to {group}={choice}"
    return ""
