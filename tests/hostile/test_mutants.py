"""Thousands of damaged and lying media files: each is decoded as FFmpeg decodes it, or fails in one line.

`make fuzz` tries more; a number that a failure names is tried alone by MUTANTS=<number> in the environment.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from digests import DIGESTS
from mutants import MUTATIONS, Mutant, write_mutant
from reference import same_frames, same_samples
from seeds import Front, Seed, write_seeds

from torch_zoo.utils.engines.decoders import DecoderOptions
from torch_zoo.utils.engines.inline import Inline
from torch_zoo.utils.types import Features, Outcome, Source

FEW, EVERY = 2_400, 4  # mutants of a usual run, and which of them are compared with FFmpeg's decoding
BATCH = 2_000  # files on the disk at a time
INTACT_EVERY = 20  # mutants
MEMORY = 1_000_000_000  # bytes: the limit of a decoder, and what none may have held
TIMEOUT = 30.0  # s without a frame
LONGEST_MESSAGE = 200  # characters
UNEXPECTED = re.compile(r"\w+(Error|Exception|Warning|Interrupt)\b")  # a message that is the name of an exception


@dataclass(frozen=True)
class Tried:
    """A mutant, or an intact seed among them, and what became of it."""

    of: Mutant | Seed
    outcome: Outcome
    features: Features | None

    @property
    def digests(self) -> np.ndarray:
        empty = np.zeros((0, 3))
        return empty if self.features is None else self.features.arrays.get("digests", empty)

    def __str__(self) -> str:
        return f"{self.of}: {self.outcome.status} {self.outcome.message}"


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Seed]:
    return write_seeds(tmp_path_factory.mktemp("seeds"))


@pytest.fixture(scope="module")
def alone(seeds: list[Seed]) -> list[Tried]:
    return _try(seeds)


def numbers() -> range:
    first, _, last = os.environ.get("MUTANTS", f"0-{FEW}").partition("-")
    return range(int(first), int(last or int(first) + 1))


BATCHES = [numbers()[first : first + BATCH] for first in range(0, len(numbers()), BATCH)]


@pytest.fixture(scope="module", params=BATCHES, ids=lambda batch: f"{batch[0]}-{batch[-1]}")
def tried(request, seeds: list[Seed], tmp_path_factory: pytest.TempPathFactory) -> list[Tried]:
    folder = tmp_path_factory.mktemp("mutants")
    mutants = [write_mutant(number, seeds, folder) for number in request.param]
    intact = [seeds[number % len(seeds)] for number in request.param[::INTACT_EVERY]]
    among = [each for at in range(len(intact)) for each in (*mutants[at * INTACT_EVERY :][:INTACT_EVERY], intact[at])]
    return _try(among)


def _try(files: Sequence[Mutant | Seed]) -> list[Tried]:
    sources = [Source(str(each.path), str(at), columns={"front": each.front}) for at, each in enumerate(files)]
    inline = Inline(DIGESTS, DIGESTS.load("cpu", 1), DecoderOptions(2, TIMEOUT, MEMORY))
    with closing(inline.decode(sources)) as results:
        return [Tried(each, *result) for each, result in zip(files, results, strict=True)]


def test_the_seeds_are_intact(alone: list[Tried]) -> None:
    assert [str(each) for each in alone if each.outcome.status != "done" or not _is_ffmpegs(each)] == []
    assert len(alone) >= 100


def test_each_number_makes_the_same_mutant_again(seeds: list[Seed], tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    for number in range(0, len(seeds) * len(MUTATIONS), 37):
        first, again = (write_mutant(number, seeds, folder).path for folder in (tmp_path, tmp_path / "again"))
        assert first.read_bytes() == again.read_bytes()
    two_turns = range(2 * len(seeds))
    pairs = {(number % len(seeds), write_mutant(number, seeds, tmp_path).mutation) for number in two_turns}
    assert len(pairs) == 2 * len(seeds)  # of the seeds and all mutations, whose turn comes one after the other


def test_each_is_decoded_or_fails_in_one_line(tried: list[Tried]) -> None:
    for each in tried:
        message = each.outcome.message
        assert each.outcome.status in ("done", "empty", "failed"), str(each)
        assert bool(message) == (each.outcome.status != "done"), str(each)
        assert message.isprintable() and len(message) <= LONGEST_MESSAGE, str(each)
        assert not UNEXPECTED.match(message), str(each)


def test_none_hangs_or_ends_its_decoder(tried: list[Tried]) -> None:
    assert [str(each) for each in tried if "tried twice" in each.outcome.message] == []


def test_what_is_intact_among_them_is_as_if_it_were_alone(tried: list[Tried], alone: list[Tried]) -> None:
    expected = {each.of: each.digests for each in alone}
    for each in tried:
        if isinstance(each.of, Seed):
            np.testing.assert_array_equal(each.digests, expected[each.of], err_msg=str(each))


def test_what_is_done_is_what_ffmpeg_decodes(tried: list[Tried]) -> None:
    mutants = [each for each in tried if isinstance(each.of, Mutant)][:: 1 if "MUTANTS" in os.environ else EVERY]
    with ThreadPoolExecutor(2) as pool:
        are_right = pool.map(_is_ffmpegs, mutants)
        wrong = [str(each) for each, is_right in zip(mutants, are_right, strict=True) if not is_right]
    assert wrong == []


def _is_ffmpegs(tried: Tried) -> bool:
    if tried.outcome.status == "failed":
        return True
    same: dict[Front, bool] = {"audio": same_samples, "video": same_frames}
    return same[tried.of.front](tried.of.path, tried.digests)


def test_decoders_stay_small(tried: list[Tried]) -> None:
    peak = max(int(each.features.arrays["peak"].max()) for each in tried if each.features and len(each.digests))
    assert peak < MEMORY
    statuses = Counter(each.outcome.status for each in tried if isinstance(each.of, Mutant))
    print(f"\n{dict(statuses)}, {peak / 1e6:.0f} MB")
