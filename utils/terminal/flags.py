"""The command line as Hydra wants it: argparse spellings are translated, names and choices checked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from torch_zoo.utils.terminal import catalogue
from torch_zoo.utils.types import UsageError

RENAMED = {"show_kinetics_pred": "show_pred", "keep_frames": "keep_tmp_files"}
LISTS = {"video_paths", "device_ids"}
TEXTS = set(  # never numbers or null
    "video_paths file_with_video_paths output_path tmp_path checkpoint flow_checkpoint pca_params".split()
)

_HYDRA_FLAGS = set(
    "-h -r -m -sc -i --help --hydra-help --version --resolve --run --multirun --shell-completion".split()
)
_HYDRA_FLAGS_WITH_VALUE = set(
    "-c -p -cp -cn -cd --cfg --package --config-path --config-name --config-dir --info --experimental-rerun".split()
)


def translate(arguments: Sequence[str]) -> list[str]:
    """`--device_ids 0 2 --video_paths "a b.mp4"` -> `device_ids=[0,2] video_paths=['a b.mp4']`; Hydra's own pass."""
    names = catalogue.all_names()
    result: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        flag, _, joined = word.partition("=")
        if word in _HYDRA_FLAGS or flag in _HYDRA_FLAGS_WITH_VALUE:
            result.append(word)
            if word in _HYDRA_FLAGS_WITH_VALUE and rest:
                result.append(rest.pop(0))
        elif not word.startswith("--"):
            result.append(_readable(word))
        else:
            name = RENAMED.get(flag[2:].replace("-", "_"), flag[2:].replace("-", "_"))
            if name not in names:
                raise UsageError(f"{flag}: there is no such option{catalogue.nearest(name, names)}")
            values = [joined] if joined else []
            while rest and not _begins_option(rest[0], names):
                values.append(rest.pop(0))
            result.append(f"{name}={_value(name, values)}")
    return result


def check(overrides: Sequence[str]) -> None:
    """Raise UsageError, with the nearest right spelling, for an option or choice that does not exist."""
    parsed = [_parse(word) for word in overrides]
    for word, override in zip(overrides, parsed, strict=True):
        name = override.key_or_group
        if override.is_sweep_override():
            _, _, listed = word.partition("=")
            raise UsageError(f'{word}: a list is written in brackets: {name}="[{listed}]"')
        if name in catalogue.GROUPS:
            _check_choice(name, override)
    chosen = {override.key_or_group: str(override.value()) for override in parsed}
    offered = {option.name for option in catalogue.common()}
    for group in catalogue.GROUPS:
        choice = chosen.get(group, _default(group))
        if choice != "???":
            offered |= {option.name for option in catalogue.of_choice(group, choice)}
    for override in parsed:
        name = override.key_or_group
        if name.split(".")[0] not in offered | {"hydra"} and override.type == OverrideType.CHANGE:
            raise UsageError(f"{name}: there is no such option{_elsewhere(name) or catalogue.nearest(name, offered)}")
    if "feature_type" not in chosen:
        raise UsageError(f"feature_type is required; there are: {', '.join(catalogue.choices('feature_type'))}")


def quote(text: str) -> str:
    """A Hydra value that means exactly this text."""
    literal = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)  # not OmegaConf's interpolation
    escaped = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), literal)
    return f"'{escaped}'"


def _begins_option(word: str, names: set[str]) -> bool:
    return word.startswith("--") or word in _HYDRA_FLAGS or word.partition("=")[0] in names


def _value(name: str, values: list[str]) -> str:
    written = [quote(value) if name in TEXTS or not re.fullmatch(r"[\w.+-]+", value) else value for value in values]
    if name in LISTS:
        return f"[{','.join(written)}]"
    if len(values) > 1:
        raise UsageError(f"--{name} takes one value, not {len(values)}: {' '.join(values)}")
    return written[0] if values else "true"


def _readable(word: str) -> str:
    """`video_paths=/a (1).mp4` -> `video_paths='/a (1).mp4'`, where Hydra could not read it as it stands."""
    name, equals, value = word.partition("=")
    if not equals or value.startswith(("[", "'", '"', "{")):
        return word
    try:
        _parse(word)
    except UsageError:
        return f"{name}={quote(value)}"
    return word


def _parse(word: str) -> Override:
    name, equals, _ = word.partition("=")
    if not equals and word.lstrip("+~") == word:
        raise UsageError(f"{word}: options are written name=value, e.g. video_paths={quote(word)}")
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        raise UsageError(
            f"{word}: unreadable; put each name with blanks, brackets, commas or '=' in quotes, "
            f"{name}=\"['a b.mp4','c.mp4']\", or use the other spelling: --{name} 'a b.mp4' c.mp4"
        ) from None


def _check_choice(group: str, override: Override) -> None:
    there = catalogue.choices(group)
    choice = str(override.value())
    if choice not in there:
        meant = catalogue.nearest(choice, there)
        raise UsageError(f"{group}={choice}: there is no such choice{meant} (there are: {', '.join(there)})")


def _default(group: str) -> str:
    return next((option.default for option in catalogue.common() if option.name == group), "???")


def _elsewhere(name: str) -> str:
    for group in catalogue.GROUPS:
        for choice in catalogue.choices(group):
            if name in {option.name for option in catalogue.of_choice(group, choice)}:
                return f" here; it belongs to {group}={choice}"
    return ""
