"""Are options and choices known? A wrong one is named, with the nearest right one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch_zoo.utils.terminal.catalogue import GROUPS, SWEPT, Catalogue, nearest
from torch_zoo.utils.types import UsageError

CLASSES = ("feature_type", "on_extraction", "engine")  # groups whose options go to classes that know nothing of others


def check_given(given: Mapping[str, str], catalogue: Catalogue, added: Collection[str] = ()) -> None:
    """Raise UsageError for an option or a choice that does not exist; options that are `added` need not exist."""
    for group in GROUPS:
        if group in given:
            check_choice(group, given[group], catalogue)
    chosen = catalogue.chosen(given)
    _check_clash(chosen, catalogue)
    offered = {option.name for option in catalogue.common()}
    offered |= {option.name for group, choice in chosen.items() for option in catalogue.of_choice(group, choice)}
    for name in given:
        if name not in offered and name not in added and not name.startswith("hydra"):
            reason = _elsewhere(name, chosen, catalogue) or f"there is no such option{nearest(name, offered)}"
            raise UsageError(f"{name}: {reason}")
    if "feature_type" not in chosen:
        raise UsageError(f"feature_type is required; there are: {', '.join(catalogue.choices('feature_type'))}")


def check_choice(group: str, choice: str, catalogue: Catalogue) -> None:
    """Raise UsageError for a choice that does not exist."""
    choices = catalogue.choices(group)
    if choice in choices:
        return
    several = re.findall(r"\w+", choice)
    if len(several) > 1 and choices.keys() >= set(several):
        runs = f"{group}={','.join(several)}" + " --multirun" * (group != SWEPT)
        raise UsageError(f"{group}={choice}: one {group} per run; for a run with each, {runs}")
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


def _elsewhere(name: str, chosen: Mapping[str, str], catalogue: Catalogue) -> str:
    """Whose option it is, if not of what is chosen."""
    for group in GROUPS:
        choices = catalogue.choices(group)
        owners = [each for each in choices if name in {option.name for option in catalogue.of_choice(group, each)}]
        if owners:
            here = f"not an option of {group}={chosen[group]}" if group in chosen else "there is no such option here"
            return f"{here}; it belongs to {group}={', '.join(owners)}"
    return ""
