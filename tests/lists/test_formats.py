"""The lists that data sets come with are recognized by how they begin, and nothing else is taken for one."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.lists import tables
from torch_zoo.utils.lists.formats import FORMATS, recognized
from torch_zoo.utils.types import UsageError

EXAMPLES = {
    "VGGSound's list of videos": [
        "---g-f_I2yQ,1,people marching,test\r\n",
        'QDppmIicknY,30,"pigeon, dove cooing",train\n',
    ],
    "VGGSound's list of clips": ["glLQrEijrKg_000300.mp4,playing hammond organ\r\n", "6jiO0tPLK7U_000090.wav,rapping"],
    "AudioSet's list of segments": [
        "# Segments csv created Sun\n# num_ytids=1\n# YTID, start_seconds, end_seconds, positive_labels\n",
        '-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw,/m/0k4j"\n',
    ],
    "ActivityNet's annotations or captions": ['{"database": {}, "version": "1.3"}', '\ufeff{\n  "v_a": {}}'],
}
OTHERS = (
    "path,start,end\na.mp4,1,2\n",
    "path\nglLQrEijrKg_000300.mp4\n",
    "glLQrEijrKg_000300.mp4\n",
    "/data/glLQrEijrKg_000300.mp4,rapping\n",
    "label,youtube_id,time_start,time_end,split\nabseiling,0wR5jVB-WPk,417,427,train\n",  # Kinetics
    "0wR5jVB-WPk,417,427,train\n",
    "ambulance siren,1050,vehicle\n",  # classes of VGGSound
    "# a comment\na.mp4\n",
    "{a}.mp4\n",
    "",
)


@pytest.mark.parametrize(("title", "content"), [(title, each) for title, of in EXAMPLES.items() for each in of])
def test_lists_of_data_sets_are_recognized(title: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(content, newline="")
    found = recognized(str(tmp_path / "list.txt"))
    assert found is not None
    assert found.title.startswith(title)


@pytest.mark.parametrize("content", OTHERS)
def test_other_lists_are_not(content: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(content)
    assert recognized(str(tmp_path / "list.csv")) is None


def read(content: str, suffix: str) -> list[object]:
    """What each reader makes of a list: sources, clips or an error for people."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"list{suffix}")
        Path(path).write_bytes(content.encode(errors="surrogateescape"))
        made: list[object] = []
        for reader in (tables.sources, *(each.clips for each in FORMATS)):
            try:
                made.append(list(reader(path)))
            except UsageError as error:
                made.append(error)
        return made


def check(content: str, suffix: str) -> None:
    for made in read(content, suffix):
        assert "\n" not in str(made) or isinstance(made, list)
        for _, each in made if isinstance(made, list) else []:
            assert each.name == os.path.basename(each.name)
            assert 0 <= each.start < (float("inf") if each.end is None else each.end)


FIELDS = st.one_of(
    st.sampled_from(
        ["path", "start", "end", "-0RWZT-miFs", "glLQrEijrKg_000300.mp4", "30", "1:30", "", '"', "a/b", "#"]
    ),
    st.text(max_size=12),
    st.floats().map(str),
)


@given(st.lists(st.lists(FIELDS, max_size=5), max_size=5), st.booleans())
def test_any_table_is_read_or_refused_in_one_line(rows: list[list[str]], quoted: bool) -> None:
    text = io.StringIO()
    if quoted:
        csv.writer(text, escapechar="\\").writerows(rows)
    else:
        text.write("\n".join(",".join(row) for row in rows))
    check(text.getvalue().encode(errors="replace").decode(), ".csv")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["database", "annotations", "segment", "label", "timestamps", "sentences", "subset", "v_a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(VALUES)
def test_any_json_is_read_or_refused_in_one_line(content: object) -> None:
    check(json.dumps(content), ".json")
