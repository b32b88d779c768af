"""The command line as Hydra wants it: argparse spellings are translated, names and choices checked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from utils.terminal import catalogue
from utils.types import UsageError

RENAMED = {"show_kinetics_pred": "show_pred", "keep_frames": "keep_tmp_files"}
LISTS = {"video_paths", "device_ids"}
TEXTS = {"video_paths", "file_with_video_paths", "output_path", "tmp_path", "checkpoint"}  # never numbers or null

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
            while rest and not rest[0].startswith("--") and rest[0].partition("=")[0] not in names:
                values.append(rest.pop(0))
            result.append(f"{name}={_value(name, values)}")
    return result


def check(overrides: Sequence[str]) -> None:
    """Raise UsageError, with the nearest right spelling, for an option or choice that does not exist."""
    parsed = [_parse(word) for word in overrides if not word.startswith("-")]
    chosen = {override.key_or_group: override.value() for override in parsed}
    for override in parsed:
        name = override.key_or_group
        if name in catalogue.GROUPS:
            _check_choice(name, override)
        elif override.is_sweep_override():
            raise UsageError(f"{override.input_line}: a list is written {name}=[{override.get_value_element_as_str()}]")
    if "feature_type" not in chosen:
        raise UsageError(f"feature_type is required: {', '.join(catalogue.choices('feature_type'))}")
    offered = {option.name for option in catalogue.common()}
    for group in catalogue.GROUPS:
        offered |= {option.name for option in catalogue.of_choice(group, str(chosen.get(group, _default(group))))}
    for override in parsed:
        name = override.key_or_group
        if name.split(".")[0] not in offered | {"hydra", *catalogue.GROUPS} and override.type == OverrideType.CHANGE:
            raise UsageError(f"{name}: there is no such option{_elsewhere(name) or catalogue.nearest(name, offered)}")


def quote(text: str) -> str:
    """A Hydra value that means exactly this text."""
    escaped = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), text)
    return "'" + escaped.replace("${", "\\${") + "'"


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
        raise UsageError(
            f"{group}={choice}: there is no such choice{catalogue.nearest(choice, there)} There are: {', '.join(there)}"
        )


def _default(group: str) -> str:
    return next(option.default for option in catalogue.common() if option.name == group)


def _elsewhere(name: str) -> str:
    for group in catalogue.GROUPS:
        for choice in catalogue.choices(group):
            if name in {option.name for option in catalogue.of_choice(group, choice)}:
                return f" here; it belongs to {group}={choice}"
    return ""
