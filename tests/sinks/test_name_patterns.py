"""Names of files: no two sources or keys share one, and none leaves the folder."""

from __future__ import annotations

import os
import re
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from torch_zoo.utils.sinks.name_patterns import NamePattern
from torch_zoo.utils.types import UsageError

PATTERNS = ["{name}_{key}", "{name}/{key}", "{key}/{name}", "of {name} ({key})", "a/{key}{name}", "{{{name}{key}"]
letters = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])  # halves of characters, of no name
texts = st.text(letters, min_size=1, max_size=4) | st.text("a_.", min_size=1, max_size=4)
literals = st.text(st.sampled_from("a_./ "), max_size=3)


@st.composite
def patterns(draw: st.DrawFn) -> str:
    fields = draw(st.permutations(["{name}", "{key}"]))
    return "".join([draw(literals), fields[0], draw(literals), fields[1], draw(literals)])


@given(patterns() | st.sampled_from(PATTERNS), st.sets(texts, min_size=1, max_size=3), st.sets(texts, max_size=3))
def test_what_passes_the_checks_gives_each_array_a_file_of_its_own_in_the_folder(
    pattern: str, keys: set[str], names: set[str]
) -> None:
    try:
        named = NamePattern(pattern, ".npy")
        named.check(keys, names)
    except UsageError:
        assume(False)
    files = {(name, key): named.file(name, key) for name, key in product(names, keys)}
    assert len(set(files.values())) == len(files)
    for (name, key), file in files.items():
        assert file.endswith(".npy")
        assert os.path.normpath(f"folder/{file}") == f"folder/{file}"
        assert named.name_of(file, key) == name
        assert not any(named.name_of(file, other) in names for other in keys - {key})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_useful_patterns_pass(pattern: str) -> None:
    NamePattern(pattern, ".npy").check(["rgb", "flow", "fps", "timestamps_ms"], ["a", "a_b", "..."])


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{key}", "without {name}, all sources would be written to one file"),
        ("{name}", "without {key}, rgb, flow would be written to one file"),
        ("{nme}_{key}", "there is no {nme}; the fields are {name} and {key}"),
        ("{name}{name}{key}", "each field may be used once"),
        ("{name_{key}", "write it like {name}_{key}"),
        ("{name}_{key", "write it like {name}_{key}"),
        ("{name!r}_{key}", "fields are plain"),
        ("{name:>9}_{key}", "fields are plain"),
        ("{name.path}_{key}", "there is no {name.path}"),
        ("{}_{key}", "there is no {}"),
        ("/{name}_{key}", "must be a relative path"),
        ("../{name}_{key}", "must be a relative path"),
        ("a//{name}_{key}", "must be a relative path"),
        ("{name}_{key}/", "must be a relative path"),
        ("{name}_{key}\n", "must be a relative path"),
        ("{name}_{key}" + "x" * 60, "too long"),
    ],
)
def test_others_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)) as raised:
        NamePattern(pattern, ".npy").check(["rgb", "flow"], [])
    assert str(raised.value).startswith(f"name_pattern={pattern}: ")


def test_keys_that_end_alike_are_refused_where_sources_could_not_be_told_apart() -> None:
    """x_low of source a, and low of source a_x."""
    with pytest.raises(UsageError, match=r"arrays (x_low|low) and (x_low|low) of different sources"):
        NamePattern("{name}_{key}", ".npy").check(["x_low", "low"], [])
    NamePattern("{name}/{key}", ".npy").check(["x_low", "low"], [])


def test_a_source_called_like_the_parent_folder_is_refused_as_a_folder() -> None:
    with pytest.raises(UsageError, match=r"a folder would be called \.\."):
        NamePattern("{name}/{key}", ".npy").check(["rgb"], ["a", ".."])
    NamePattern("{name}_{key}", ".npy").check(["rgb"], ["a", ".."])
