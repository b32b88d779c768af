"""AudioSet's lists of segments."""

from __future__ import annotations

from pathlib import Path

import pytest

from torch_zoo.utils.lists import audioset
from torch_zoo.utils.lists.clips import Clip
from torch_zoo.utils.types import UsageError

HEAD = """\
# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804
# YTID, start_seconds, end_seconds, positive_labels
"""
ROW = '-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw,/m/0k4j"\n'  # the example of AudioSet's download page


def clips(folder: Path, content: str) -> list[tuple[str, Clip]]:
    (folder / "eval.csv").write_text(content)
    return list(audioset.clips(str(folder / "eval.csv")))


def test_rows_below_the_comments(tmp_path: Path) -> None:
    labels = {"video_id": "-0RWZT-miFs", "positive_labels": "/m/03v3yw,/m/0k4j"}
    clip = Clip("-0RWZT-miFs_420_430", "-0RWZT-miFs", 420.0, 430.0, labels)
    assert clips(tmp_path, HEAD + ROW) == [(f"{tmp_path}/eval.csv, line 4", clip)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("-0RWZT-miFs, 420.000, 430.000, /m/03v3yw,/m/0k4j", "5 fields; a row is YTID,start_seconds,end_seconds,pos"),
        ("-0RWZT-miFs, 420.000, 430.000", "3 fields"),
        ('-0RWZT-miFs, soon, 430.000, "/m/03v3yw"', "'soon' is not a number of seconds"),
        ('-0RWZT-miFs, 430.000, 430.000, "/m/03v3yw"', "the segment from 430 s to 430 s is empty"),
        ('../x, 420.000, 430.000, "/m/03v3yw"', "'../x' is not a YouTube id"),
        ('-0RWZT-miFs, 420.000, 430.000, "/m/03v3yw', "unexpected end of data"),
    ],
)
def test_wrong_rows_are_named_with_their_line(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"eval\.csv, line 5: {message}"):
        clips(tmp_path, f"{HEAD}{ROW}{row}\n")
