"""From a composed config to objects: every dataclass takes the options that bear the names of its fields.

The fields are a structured config, so OmegaConf checks the types. Literal types, which it does not know, are shown to
it as enums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, make_dataclass
from dataclasses import fields as dataclass_fields
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from torch_zoo.utils.types import UsageError

T = TypeVar("T")

MEANINGS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list[int]: "a list of whole numbers, e.g. [0,1]",
    type(None): "null",
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """Options of the run itself."""

    output_path: str = "./output"
    overwrite: bool = False


def build(target: type[T], options: Mapping[str, Any]) -> T:
    """Construct the dataclass `target`; options it has no field for are passed over. Raises UsageError."""
    hints = fields(target)
    schema = make_dataclass("Options", [(name, _shown(hint)) for name, hint in hints.items()])
    typed = OmegaConf.structured(schema)
    given = [name for name in hints if name in options]
    for name in given:
        try:
            typed[name] = options[name]
        except OmegaConfBaseException as error:
            raise UsageError(_explain(name, options[name], hints[name], error)) from error
    values: Any = OmegaConf.to_container(typed, enum_to_str=True)
    return target(**{name: values[name] for name in given})


def fields(target: type) -> dict[str, Any]:
    """Names and types of the options that a dataclass takes."""
    hints = get_type_hints(target)
    return {field.name: hints[field.name] for field in dataclass_fields(target) if field.init}


def reject_unused_options(options: Mapping[str, Any], targets: Iterable[type], who: str) -> None:
    """Raise UsageError if an option is set that none of the targets takes."""
    taken = {name for target in targets for name in fields(target)}
    for name, value in options.items():
        if name not in taken and isinstance(value, bool | int | float | str) and value:
            raise UsageError(f"{name}={_written(value)}: {who} has no use for it")


def choices(hint: Any) -> tuple[str, ...]:
    """The choices of a Literal type, or of one that may be None, else ()."""
    literals = [kind for kind in (hint, *get_args(hint)) if get_origin(kind) is Literal]
    return tuple(str(choice) for kind in literals for choice in get_args(kind))


def _shown(hint: Any) -> Any:
    if not choices(hint):
        return hint
    return _enum(choices(hint)) | None if _may_be_null(hint) else _enum(choices(hint))


def _enum(names: tuple[str, ...]) -> Any:
    return Enum("Choice", {name: name for name in names})


def _explain(name: str, value: Any, hint: Any, error: Exception) -> str:
    if choices(hint):
        listed = ", ".join((*choices(hint), *["null"] * _may_be_null(hint)))
        return f"{name}={_written(value)}: must be one of {listed}"
    wanted = [MEANINGS[kind] for kind in (hint, *get_args(hint)) if kind in MEANINGS]
    return f"{name}={_written(value)}: " + (f"must be {' or '.join(wanted)}" if wanted else str(error).splitlines()[0])


def _may_be_null(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _written(value: Any) -> str:
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))
