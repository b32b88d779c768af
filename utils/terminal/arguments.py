"""Command lines of `python -m torch_zoo...`."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from torch_zoo.utils.types import UsageError


class Parser(argparse.ArgumentParser):
    """What is wrong is a UsageError, and options may be spelled with dashes or, as for main.py, underscores."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help shows all options")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        return self.parse_args([re.sub("^--[^=]+", lambda name: name[0].replace("_", "-"), word) for word in arguments])


@contextmanager
def spelled_as_flags(options: argparse.Namespace) -> Iterator[None]:
    """UsageErrors of the block name these options as on this command line: `--name value`, not `name=value`."""
    names = "|".join(map(re.escape, vars(options)))
    try:
        yield
    except UsageError as error:
        text = re.sub(rf"(?<![\w&?./-])({names})=", lambda match: f"{_flag(match[1])} ", str(error))
        text = re.sub(rf"\bthe option ({names})\b", lambda match: _flag(match[1]), text)
        raise UsageError(text) from error


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def number(kind: Callable[[str], float], least: float) -> Callable[[str], float]:
    """A type for argparse: finite numbers, at least `least`."""

    def read(text: str) -> float:
        value = kind(text)
        if not least <= value < math.inf:
            raise argparse.ArgumentTypeError(f"{text}: must be a finite number, {least} or more")
        return value

    read.__name__ = "number"  # used in argparse's message for other strings
    return read
