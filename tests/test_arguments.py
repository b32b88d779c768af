"""Messages of shared code name options as the command line that was given does."""

from __future__ import annotations

import argparse

import pytest

from torch_zoo.utils.terminal.arguments import spelled_as_flags
from torch_zoo.utils.types import UsageError

OPTIONS = argparse.Namespace(checkpoint="random", window_seconds=1.0, device="auto")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("checkpoint=x.pth: no such file", "--checkpoint x.pth: no such file"),
        ("window_seconds=0: must be above 0", "--window-seconds 0: must be above 0"),
        ("device=cuda, but none is there; device=cpu works", "--device cuda, but none is there; --device cpu works"),
        ("the option checkpoint must be a path", "--checkpoint must be a path"),
        ("hop_seconds=1: not an option here", "hop_seconds=1: not an option here"),
        ("--checkpoint=x stays, and https://a.b/c?device=1&checkpoint=2", None),
        ("my_device=1, a/device=cpu/b.wav", None),
    ],
)
def test_options_are_spelled_as_flags(raised: str, said: str | None) -> None:
    with pytest.raises(UsageError) as caught, spelled_as_flags(OPTIONS):
        raise UsageError(raised)
    assert str(caught.value) == (said or raised)
