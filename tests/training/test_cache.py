"""The cache of network inputs: what is found again, what is not, and how much it may hold."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from torch_zoo.utils.training.cache import OVERHEAD_BYTES, Cache, key_of, make_room
from torch_zoo.utils.types import Source

ARRAY = np.random.default_rng(0).normal(size=(1, 40, 50)).astype(np.float16)
EACH = ARRAY.nbytes + OVERHEAD_BYTES
KEYS = [f"{number:032x}" for number in range(10)]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def filled(folder: Path, keys: list[str], limit: int) -> Cache:
    cache = make_room(str(folder), keys, ARRAY.nbytes, limit)
    for key in keys:
        cache.store(key, ARRAY)
    return cache


def test_an_array_is_found_again_bit_for_bit(tmp_path):
    cache = filled(tmp_path, KEYS[:1], 10 * EACH)
    found = cache.load(KEYS[0])
    assert found is not None
    assert (found.dtype, found.tobytes()) == (ARRAY.dtype, ARRAY.tobytes())
    assert cache.load(KEYS[1]) is None


@pytest.mark.parametrize("limit", [0, EACH - 1, EACH, 3 * EACH, 100 * EACH])
def test_the_first_that_fit_are_kept_and_the_bound_holds(tmp_path, limit):
    cache = filled(tmp_path, KEYS, limit)
    fit = min(10, limit // EACH)
    assert [cache.load(key) is not None for key in KEYS] == [number < fit for number in range(10)]
    assert sum(path.stat().st_size for path in files(tmp_path)) <= limit


def test_other_runs_lose_their_oldest_files_and_only_if_room_is_needed(tmp_path):
    old = filled(tmp_path, KEYS[:4], 10 * EACH)
    for age, key in enumerate(KEYS[:4]):
        os.utime(next(tmp_path.rglob(f"{key}.npz")), (1000 - age, 1000 - age))
    filled(tmp_path, KEYS[4:6], 10 * EACH)
    assert all(old.load(key) is not None for key in KEYS[:4])
    filled(tmp_path, KEYS[6:8], 5 * EACH)
    survivors = [old.load(key) is not None for key in KEYS[:4]]
    assert survivors == sorted(survivors, reverse=True)
    assert 0 < sum(survivors) < 4
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 5 * EACH


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_file_is_not_found_and_can_be_stored_again(tmp_path, damage):
    cache = filled(tmp_path, KEYS[:1], EACH)
    [path] = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-700], "flip": content, "empty": b"", "text": b"hello" * 100}[damage])
    assert cache.load(KEYS[0]) is None
    cache.store(KEYS[0], ARRAY)
    np.testing.assert_array_equal(cache.load(KEYS[0]), ARRAY)
    assert len(files(tmp_path)) == 1


def test_keys_depend_on_the_file_the_segment_and_the_settings(tmp_path):
    path = tmp_path / "clip.wav"
    path.write_bytes(b"1234")
    os.utime(path, ns=(0, 1000))
    source = Source(str(path), "clip")
    key = key_of(source, {"seconds": 10})
    assert key == key_of(replace(source, name="other"), {"seconds": 10})
    others = [key_of(replace(source, start=1.0), {"seconds": 10}), key_of(source, {"seconds": 9})]
    os.utime(path, ns=(0, 2000))
    others.append(key_of(source, {"seconds": 10}))
    path.write_bytes(b"12345")
    os.utime(path, ns=(0, 1000))
    others.append(key_of(source, {"seconds": 10}))
    assert len({key, *others}) == 5
    with pytest.raises(FileNotFoundError):
        key_of(Source(str(tmp_path / "none.wav"), "none"), {})


def test_a_folder_that_can_not_be_written_costs_only_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    cache = Cache(str(tmp_path / "file"), frozenset(KEYS))
    for key in KEYS:
        cache.store(key, ARRAY)
        assert cache.load(key) is None
    [message] = caplog.messages
    assert message.endswith("what is not cached is decoded in every epoch")
