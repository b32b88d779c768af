"""Names of output files by a pattern, e.g. `{name}_{key}`; a slash in it makes sub-folders."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from string import Formatter

from torch_zoo.utils.naming import LONGEST_NAME
from torch_zoo.utils.types import UsageError

FIELDS = ("name", "key")
LONGEST_FILE_NAME = 255  # bytes that file systems take


@dataclass(frozen=True)
class NamePattern:
    """`pattern` with the fields {name}, of the source, and {key}, of the array. Raises UsageError if it is none."""

    pattern: str
    suffix: str

    def __post_init__(self) -> None:
        fields = self.fields
        if unknown := set(fields) - set(FIELDS):
            raise self._error(f"there is no {{{min(unknown)}}}; the fields are {{name}} and {{key}}")
        if "name" not in fields:
            raise self._error("without {name}, all sources would be written to one file")
        if len(fields) > len(set(fields)):
            raise self._error("each field may be used once")
        if {"", ".", ".."} & set(self.pattern.split("/")) or not self.pattern.isprintable():
            raise self._error("must be a relative path within output_path, such as {name}_{key} or {key}/{name}")

    @property
    def fields(self) -> list[str]:
        """The fields in it, in order."""
        return [field for _, field in self._parts if field is not None]

    def check(self, keys: Collection[str], names: Iterable[str]) -> None:
        """Raise UsageError if files of different sources or keys could have one name, or lie outside the folder."""
        if "key" not in self.fields and len(keys) > 1:
            raise self._error(f"without {{key}}, {', '.join(keys)} would be written to one file")
        for key, other in permutations(keys, 2):
            if self._pattern_of(key).fullmatch(self.file("", other)):
                raise self._error(f"arrays {other} and {key} of different sources could be written to one file")
        dots = {name for name in names if set(name) == {"."}}
        for folder, name, key in product(self.pattern.split("/")[:-1], dots | {"x"}, keys or [""]):
            if (called := folder.format(name=name, key=key)) in (".", ".."):
                raise self._error(f"a folder would be called {called}")
        longest = max(map(len, map(os.fsencode, self.file("", max(keys, key=len, default="")).split("/"))))
        if longest > LONGEST_FILE_NAME - LONGEST_NAME:
            raise self._error(f"too long; names may have {LONGEST_NAME} bytes, and files {LONGEST_FILE_NAME}")

    def file(self, name: str, key: str) -> str:
        """Relative to the folder."""
        return self._template.format(name=name, key=key)

    def name_of(self, file: str, key: str) -> str | None:
        """Of which source this file is the output `key`, if it is one."""
        found = self._pattern_of(key).fullmatch(file)
        return found["name"] if found else None

    @cached_property
    def _parts(self) -> list[tuple[str, str | None]]:
        """Literal texts, each with the field behind it."""
        try:
            parts = list(Formatter().parse(self.pattern))
        except ValueError as error:
            raise self._error(f"{error}; write it like {{name}}_{{key}}") from error
        if any(spec or conversion for _, _, spec, conversion in parts):
            raise self._error("fields are plain {name} and {key}")
        return [(text, field) for text, field, _, _ in parts]

    @cached_property
    def _template(self) -> str:
        return self.pattern + self.suffix

    def _pattern_of(self, key: str) -> re.Pattern[str]:
        """What the files of a key look like."""
        values = {"name": "(?P<name>[^/]*)", "key": re.escape(key), None: ""}
        texts = (re.escape(text) + values[field] for text, field in self._parts)
        return re.compile("".join(texts) + re.escape(self.suffix), re.DOTALL)

    def _error(self, reason: str) -> UsageError:
        return UsageError(f"name_pattern={self.pattern}: {reason}")
