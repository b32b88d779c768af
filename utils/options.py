"""From a composed config to objects: every dataclass takes the options that bear the names of its fields.

The fields are a structured config, so OmegaConf checks the types. Literal types, which it does not know, are shown to
it as enums.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, is_dataclass, make_dataclass
from dataclasses import fields as dataclass_fields
from enum import Enum
from importlib import import_module
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from torch_zoo.utils.types import UsageError

T = TypeVar("T")

MEANINGS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    list[int]: "a list of integers, e.g. [0,1]",
    list[str]: "a list, e.g. [file,https]",
    dict[str, Any]: "a mapping, e.g. {num_cpus: 2}",
    type(None): "null",
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """Options of the run itself."""

    output_path: str = "./output"
    overwrite: bool = False
    dry_run: bool = False
    dry_run_table: str | None = None

    def __post_init__(self) -> None:
        if not self.output_path.strip():
            raise UsageError("output_path: no folder is given")
        if (table := self.dry_run_table) is not None:
            if not self.dry_run:
                raise UsageError(f"dry_run_table={table}: there is no table without dry_run=true")
            if not table.endswith((".csv", ".parquet")):
                raise UsageError(f"dry_run_table={table}: must end in .csv or .parquet")


def build(target: type[T], options: Mapping[str, Any]) -> T:
    """Construct the dataclass `target`; options it has no field for are ignored, `~/` is the user's home.

    Raises UsageError.
    """
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
    return target(**{name: _with_home(values[name]) for name in given})


def fields(target: type) -> dict[str, Any]:
    """Names and types of the options that a dataclass takes."""
    hints = get_type_hints(target)
    return {field.name: hints[field.name] for field in dataclass_fields(target) if field.init}


def import_target(path: str, choice: str) -> type:
    """The dataclass `module.Class` behind a choice such as feature_type=vggish. Raises UsageError."""
    module, _, name = path.rpartition(".")
    try:
        target = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{choice}: can't import {path}: {error}; is its folder in PYTHONPATH?") from error
    if not (isinstance(target, type) and is_dataclass(target)):
        raise UsageError(f"{choice}: {path} must be a dataclass, whose fields are its options")
    return target


def reject_unused_options(
    given: Mapping[str, Any], targets: Mapping[str, type], others: Iterable[type], who: str
) -> None:
    """Raise UsageError if an option that the user gave is taken by none of the targets, the chosen class of each group.

    `group.name` belongs to one group alone; `name` may be of any, or of `others`. False and null ask for nothing.
    """
    taken = {name for target in others for name in fields(target)} | set(targets)
    for group, target in targets.items():
        taken |= {spelled for name in fields(target) for spelled in (name, f"{group}.{name}")}
    for name, value in given.items():
        if name not in taken and value not in (None, False):
            raise UsageError(f"{name}={_written(value)}: not an option of {who}")


def with_predictions(targets: Mapping[str, type], feature_type: str) -> Mapping[str, Any]:
    """What the extractor needs where the sink stores predictions. Raises UsageError if it predicts nothing."""
    if not getattr(targets["on_extraction"], "stores_predictions", False):
        return {}
    if "show_pred" not in fields(targets["feature_type"]):
        raise UsageError(f"feature_type={feature_type} has no classifier whose predictions could be stored")
    return {"show_pred": True}


def choices(hint: Any) -> tuple[str, ...]:
    """The choices of a Literal type, or of one that may be None, else ()."""
    literals = [kind for kind in (hint, *get_args(hint)) if get_origin(kind) is Literal]
    return tuple(str(choice) for kind in literals for choice in get_args(kind))


def _shown(hint: Any) -> Any:
    kinds = set(get_args(hint)) - {type(None)}
    if len(kinds) > 1 and any(get_origin(kind) is list for kind in kinds):  # a union that OmegaConf doesn't know
        return Any
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


def _with_home(value: Any) -> Any:
    return os.path.expanduser(value) if isinstance(value, str) and f"{value}/".startswith("~/") else value


def _written(value: Any) -> str:
    return {"None": "null", "True": "true", "False": "false"}.get(str(value), str(value))
