"""Class names are read in the order of the logits, and what is wrong with a list is named with its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from torch_zoo.models.vggsound.labels import CLASSES, LABELS, read_labels
from torch_zoo.utils.digests import sha256
from torch_zoo.utils.types import UsageError


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_vggsounds_classes_are_sorted_and_its_list_is_the_verified_one(vggsound_classes):
    names = read_labels(vggsound_classes)
    assert len(names) == len(set(names)) == CLASSES
    assert names[:3] + names[-1:] == ("air conditioning noise", "air horn", "airplane", "zebra braying")
    assert "bird chirping, tweeting" in names
    assert sha256(vggsound_classes) == LABELS.sha256


def test_a_plain_list_has_a_name_per_line_commas_included(vggsound_classes):
    names = read_labels(vggsound_classes.with_name("Common.txt"))
    assert len(names) == 164
    assert set(names) < set(read_labels(vggsound_classes))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.csv", 'b,12\r\n"c, d",3\r\n\r\nB,1\r\na,0'),
        ("mine.txt", "b\nc, d\n\n  B  \na\n"),
        ("mine.CSV", b'\xef\xbb\xbfb,12\n"c, d",3\nB,1\na,0\n'),
    ],
)
def test_rows_are_sorted_by_code_point(name, content, tmp_path):
    assert read_labels(written(tmp_path, name, content)) == ("B", "a", "b", "c, d")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("twice.csv", "a\nb\na\n", r"twice\.csv, row 3: a is already in row 1"),
        ("hole.csv", "a,1\n,2\n", r"hole\.csv, row 2: '' is not a class name"),
        ("latin.txt", b"a\nm\xfcll\n", r"latin\.txt, row 2: .* is not a class name in UTF-8"),
        ("binary.csv", b"a\n\x00\x01\n", r"binary\.csv, row 2: "),
        ("quote.csv", 'a\n"b" c\n', r"quote\.csv, row 2: not CSV"),
        ("empty.csv", "\n\n", r"empty\.csv: lists no class"),
    ],
)
def test_a_bad_row_is_named(name, content, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        read_labels(written(tmp_path, name, content))


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.csv: No such file.*give a list of class names"):
        read_labels(tmp_path / "gone.csv")
