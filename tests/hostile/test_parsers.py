"""Texts and bytes of any kind: what reads lists, names, command lines and records is right, or refuses in one line.

`make fuzz` gives them many more examples, from new seeds each time; an example that fails is printed, and kept in
`.hypothesis` for the next run.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from torch_zoo.utils import naming
from torch_zoo.utils.lists import tables, times
from torch_zoo.utils.lists.formats import recognized
from torch_zoo.utils.lists.text import read_lines
from torch_zoo.utils.sinks import origins
from torch_zoo.utils.sinks.containers.entries import batch, entries, name_of, serialized
from torch_zoo.utils.sinks.origins import Origin
from torch_zoo.utils.terminal import command_lines, flags, grammar
from torch_zoo.utils.terminal.catalogue import Catalogue
from torch_zoo.utils.tfrecords.audioset import FEATURE_LIST, LABELS, ROW_BYTES, START, VIDEO_ID, clip
from torch_zoo.utils.tfrecords.records import DamagedError, is_one_record, record, records
from torch_zoo.utils.tfrecords.sequence_example import (
    bytes_feature,
    encode,
    feature_list,
    float_feature,
    int64_feature,
)
from torch_zoo.utils.types import Source, UsageError
from torch_zoo.utils.urls import is_url, split_url, without_secrets

PIECES = (  # of lists and command lines, from which texts with a structure are made
    "path,start,end,name\n|path\tlabel\n|a/b.mp4|,|\t|\n|\r\n|\r|\0|\"|'|#|0:01:30.5|-1|1e400|nan|inf|1_0|٣|..|/|~|\\|"
    "\x1b[2J|"
    '---g-f_I2yQ|QDppmIicknY,30,"pigeon, dove",train\n|glLQrEijrKg_000300.mp4,organ\n|-0RWZT-miFs, 420.000, 430.000, '
    '"/m/03v3yw"\n|# YTID, start_seconds, end_seconds, positive_labels\n|{"database": {"v": {"subset": "training", '
    '"annotations": [{"segment": [1, 2], "label": "x"}]}}}|{"v_a": {"duration": 9, "timestamps": [[0, 1]], '
    '"sentences": ["s"]}}|{"|":|[|]|{|}|null|1e999|[[[[|\ufeff|\udcff|\u2028|😀|é|e\u0301|feature_type=vggish|'
    "feature_type=|--device_ids|--|-|=|device=cuda:0|layout=bmt|${oc.env:HOME}|${|$|on_extraction=save_npz|+|~x|a=1,2|"
    "range(0,3)|hydra.|s3://k:p@b/c|http://u:p@[::1|memory://x|file:///x|://|%2e%2e|?sig=x"
).split("|")
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=12).map("".join)
SUFFIXES = st.sampled_from([".txt", ".csv", ".tsv", ".json"])
PATHS = (TEXTS | st.text(max_size=300)).map(lambda text: text.replace("\0", "") or "x")  # as in lists and arguments

usual = settings(deadline=None)


@contextmanager
def refused_in_one_line(*quoted: str) -> Iterator[None]:
    """UsageError may be raised; what the user typed is quoted as it is."""
    try:
        yield
    except UsageError as error:
        assert str(error)
        assert "\n" not in str(error) or any("\n" in text for text in quoted)


def listed(path: str) -> list[Source]:
    """As utils/sources.py reads a list, without looking for the files."""
    if dataset := recognized(path):
        return [Source(clip.video, clip.name, clip.start, clip.end, clip.columns) for _, clip in dataset.clips(path)]
    if tables.delimiter(path):
        return [source for _, source in tables.sources(path)]
    return [Source(line, naming.stem(line)) for _, line in read_lines(path)]


@usual
@given(TEXTS.map(lambda text: text.encode(errors="surrogateescape")) | st.binary(max_size=100), SUFFIXES)
@example(b'{"v":' * 100_000, ".json")
@example(b"path\n" + b'"' * 200_000, ".csv")
@example(b'{"a": {"timestamps": [[0, 1' + b"0" * 5000 + b']], "sentences": ["s"]}}', ".json")
def test_any_list_is_read_or_refused(content: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder, refused_in_one_line():
        path = os.path.join(folder, f"list{suffix}")
        Path(path).write_bytes(content)
        for source in listed(path):
            assert os.path.basename(source.name) == source.name
            assert "\0" not in source.path + source.name
            assert 0 <= source.start < (np.inf if source.end is None else source.end)


@usual
@given(st.text(max_size=20) | TEXTS)
def test_any_time_is_a_number_or_refused(text: str) -> None:
    with refused_in_one_line():
        assert abs(times.seconds(text, "list.csv, line 2")) <= times.LONGEST_SECONDS


@usual
@given(st.lists(PATHS, min_size=1, max_size=5, unique=True))
@example(["../../a.mp4", "a.mp4", "/a.mp4", "-a.mp4", "a\nb.mp4", "a.MP4"])
@example(["x" * 250 + ".mp4", "x" * 251 + ".mp4", "😀" * 80, "é.mp4", "e\u0301.mp4"])
@example(["..", ".", "/", "a/..", "~"])
def test_names_of_outputs_stay_in_their_folder_and_differ(paths: list[str]) -> None:
    with refused_in_one_line(*paths):
        named = naming.disambiguate_names([Source(path, naming.stem(path)) for path in paths])
        assert len({source.name for source in named}) == len(paths)
        for source in named:
            file = os.path.normpath(os.path.join("/out", f"{source.name}_vggish.npy"))
            assert os.path.dirname(file) == "/out"
            assert len(os.fsencode(source.name)) <= naming.LONGEST_NAME
            assert "\0" not in source.name


@usual
@given(TEXTS)
def test_any_text_can_be_asked_whether_it_is_a_url(text: str) -> None:
    assert isinstance(without_secrets(text), str)
    with refused_in_one_line(text):
        if is_url(text):
            split_url(text)


@usual
@given(st.lists(TEXTS, max_size=4))
@example(["--device_ids", "0", "[", "--"])
@example(["feature_type=vggish", "video_paths=[a.mp4"])
def test_any_command_line_is_understood_or_refused(words: list[str]) -> None:
    catalogue = Catalogue()
    with refused_in_one_line(*words):
        for line in command_lines.of_each_run(flags.translate(words, catalogue), catalogue):
            for word in line:
                grammar.parse(word)


PAYLOAD = encode(
    {VIDEO_ID: bytes_feature(b"x"), START: float_feature(2.0), LABELS: int64_feature([1, 522])},
    {FEATURE_LIST: feature_list(bytes_feature(bytes([row] * ROW_BYTES)) for row in range(2))},
)


@usual
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3), st.integers(0), st.integers(0, 7))
def test_records_end_where_a_bit_is_flipped(payloads: list[bytes], at: int, bit: int) -> None:
    wholes = [record(payload) for payload in payloads]
    damaged = bytearray(b"".join(wholes))
    at %= len(damaged)
    damaged[at] ^= 1 << bit
    intact = sum(at >= end for end in accumulate(map(len, wholes)))
    found = []
    with pytest.raises(DamagedError, match=f"^record {intact + 1} at byte"):
        found.extend(each.payload for each in records(io.BytesIO(damaged)))
    assert found == payloads[:intact]
    assert is_one_record(wholes[0])
    for other in (bytes(damaged), wholes[0][:-1], wholes[0] + b"\0", payloads[0]):
        assert not is_one_record(other)


@usual
@given(st.binary(max_size=60), st.integers(0, len(PAYLOAD)), st.integers(0, 40))
def test_any_payload_is_a_clip_or_refused(damage: bytes, at: int, instead: int) -> None:
    for payload in (damage, PAYLOAD[:at] + damage + PAYLOAD[at + instead :]):
        try:
            rows = clip(payload).rows
        except ValueError as error:
            assert str(error) and "\n" not in str(error)
        else:
            assert {len(row) for row in rows} <= {ROW_BYTES}


NUMBERS = st.none() | st.integers(0, 2**63)
LOCAL = PATHS.filter(lambda path: not is_url(path))  # of URLs, passwords are not recorded
ORIGINS = st.builds(
    Origin,
    path=LOCAL,
    start=st.floats(0, 1e9),
    end=st.none() | st.floats(0, 1e9),
    size=NUMBERS,
    mtime_ns=NUMBERS,
    digest=st.none() | PATHS,
    etag=st.none() | PATHS,
)
KEYS = st.sampled_from(["name", "made_from", "path", "size", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
)


@usual
@given(PATHS, ORIGINS, st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@example("a", Origin("a.mp4"), b"[" * 100_000)
@example("a", Origin("a.mp4"), b'{"name": [], "made_from": null}')
@example("a", Origin("a.mp4"), b'{"made_from": null}')
@example("a", Origin("a.mp4"), b'{"name": "a", "made_from": {"start": "x"}}')
@example("a", Origin("a.mp4"), b'{"name": "a", "made_from": {"size": 1' + b"0" * 5000 + b"}}")
def test_damaged_lines_of_a_record_cost_themselves_only(name: str, origin: Origin, damage: bytes) -> None:
    good = origins.line(name, origin)
    damage = damage.replace(b"\n", b"")
    found = list(origins.entries(good + damage + b"\n" + good))
    assert found[0] == found[-1] == (name, origin)
    for other, made_from in found:
        assert len({other: made_from}) == 1  # the driver merges them by name
        assert isinstance(str(made_from), str)


@usual
@given(st.integers(0), st.binary(min_size=1, max_size=40), st.booleans())
def test_a_damaged_journal_holds_what_precedes_the_damage(at: int, damage: bytes, cut: bool) -> None:
    whole = [serialized(batch(name, {"x": pa.array([1.0, 2.0])})) for name in ("a", "b", "c")]
    content = b"".join(whole)
    at %= len(content)
    content = content[:at] if cut else content[:at] + damage + content[at + len(damage) :]
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "features.journal"
        journal.write_bytes(content)
        found = [entry for _, entry in entries(journal)]
        number = sum(content.startswith(b"".join(whole[:number])) for number in (1, 2, 3))
        assert [name_of(entry) for entry in found] == ["a", "b", "c"][:number]
        assert all(entry.to_pydict() == {"x": [1.0, 2.0]} for entry in found)
