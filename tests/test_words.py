"""Prose and names are in American English and in the terms of the field."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (".py", ".md", ".yaml", ".yml", ".ipynb", ".toml", "Makefile")

AVOID = {  # what to write -> what to look for
    "American spelling": (
        r"colour|\bcentre|\bmetre|licence|\bgrey|quantis|normalis|recognis|serialis|initialis|optimis|minimis|synchronis"
        r"|organis|neighbour|favour|honour|behaviour|modelled|labelled|cancelled"
    ),
    "per": r"\b(path|row|window|stack|frame|song|class|dot|point)s? an? (line|row|window|stack|song|class|point)\b",
    "frames per second": r"\b(frames|stacks|clips|windows|samples) a (second|stack|clip)\b",
    "timestamp": r"\btime stamps?\b",
    "pretrained weights": r"\breleased weights\b",
    "atomic": r"\bwhole or not at all\b",
    "integer": r"\bwhole numbers?\b",
    "plain words": (
        r"\bat hand\b|\banew\b|\bpassed over\b|\bsaid loudly|\bdoes all again|\bdone again\b|\bto the bottom\b"
        r"|\bfilms? the\b|\blives no more|\bhas no use for|\bthe road\b"
    ),
}

OLD_NAMES = re.compile("colours.*color_matrix")  # of options


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if name.endswith(TEXT)]


@pytest.mark.parametrize("instead", AVOID)
def test_text_uses_the_terms_of_the_field(instead: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in tracked()
        if path != Path(__file__) and path.exists()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if not OLD_NAMES.search(line)
        for match in re.finditer(AVOID[instead], line, re.IGNORECASE)
    ]
    assert not found, "\n".join([f"{instead}:", *found])
