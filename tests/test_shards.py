"""Shards split a list into parts that stay what they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.shards import Shard
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.types import UsageError

NAMES = st.text(st.characters(codec=None), max_size=20)  # also what is no UTF-8, as file names may be


@given(st.lists(NAMES, max_size=30), st.integers(1, 20))
def test_every_name_is_in_exactly_one_shard(names: list[str], count: int) -> None:
    shards = [Shard(number, count) for number in range(1, count + 1)]
    assert all(sum(shard.holds(name) for shard in shards) == 1 for name in names)


def test_shards_are_of_similar_size() -> None:
    sizes = Counter(number for name in range(16_000) for number in range(1, 17) if Shard(number, 16).holds(f"{name}"))
    assert len(sizes) == 16
    assert all(abs(size - 1000) < 5 * 1000**0.5 for size in sizes.values())  # 5 standard deviations of a random split


@pytest.mark.parametrize("written", ["0/16", "17/16", "3", "3/0", "-1/4", "a/b", "1/2/3", "1.0/2", ""])
def test_what_is_no_shard_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match=f"shard={written}: must be the number of a shard"):
        Inputs(video_paths="a.mp4", shard=written).select()


def test_a_list_that_grows_keeps_the_shard_of_each_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(60):
        Path(f"{number}.mp4").touch()

    def shards(count: int) -> list[list[str]]:
        Path("list.txt").write_text("\n".join(f"{number}.mp4" for number in reversed(range(count))))
        inputs = [Inputs(file_with_video_paths="list.txt", shard=f"{number}/3") for number in (1, 2, 3)]
        return [[source.path for source in each.select().sources] for each in inputs]

    before, after = shards(40), shards(60)
    assert sorted(path for shard in after for path in shard) == sorted(f"{number}.mp4" for number in range(60))
    for old, new in zip(before, after, strict=True):
        assert [path for path in new if int(Path(path).stem) < 40] == old


def test_what_is_said_of_a_shard_and_of_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.mp4").touch()
    paths = ["there.mp4", *(f"{number}.mp4" for number in range(9))]
    selections = [Inputs(video_paths=paths, shard=f"{number}/2").select() for number in (1, 2)]
    sizes = [len(selection.sources) for selection in selections]
    assert [selection.shard for selection in selections] == [
        f"shard 1 of 2: {sizes[0]} of 10 sources",
        f"shard 2 of 2: {sizes[1]} of 10 sources",
    ]
    assert selections[0].missing == selections[1].missing == {f"{number}": "no such file" for number in range(9)}
