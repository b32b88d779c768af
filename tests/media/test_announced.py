"""When a source is opened, it is announced how much of it there is to decode."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from media_maker import KINDS, decode, write_kind
from video_maker import decode as decode_video
from video_maker import write_video

from torch_zoo.utils import heartbeat

SECONDS = 2.0
PADDING = 0.15  # s; MP3, AAC and ADTS files hold whole packets, and FFmpeg estimates the lengths of some


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    lengths: list[float] = []
    monkeypatch.setattr(heartbeat, "_listeners", [SimpleNamespace(beat=lambda _: None, announce=lengths.append)])
    return lengths


@pytest.mark.parametrize("kind", KINDS)
def test_the_length_of_sound_is_about_what_is_decoded(kind: str, tmp_path: Path, announced: list[float]) -> None:
    path, _, rate = write_kind(tmp_path, kind, SECONDS)
    samples = decode(path)
    assert announced == [pytest.approx(len(samples) / rate, abs=PADDING)]


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0.5, None, 1.5), (0.5, 1.0, 0.5), (1.5, 9.0, 0.5), (0.0, 1.25, 1.25)]
)
def test_a_segment_counts_as_far_as_there_is_media(
    start: float, end: float | None, expected: float, tmp_path: Path, announced: list[float]
) -> None:
    for kind in ("16bit.wav", "aac.m4a"):
        decode(write_kind(tmp_path, kind, SECONDS)[0], start=start, end=end)
    decode_video(write_video(tmp_path / "x.mp4", int(SECONDS * 25)), start, end)
    assert announced == pytest.approx([expected] * 3, abs=PADDING)


def test_a_program_that_writes_into_a_pipe_states_no_length(tmp_path: Path, announced: list[float]) -> None:
    decode(write_kind(tmp_path, "16bit.wav", SECONDS)[0], "ffmpeg")
    decode_video(write_video(tmp_path / "x.mp4"), fps=10, fps_method="reencode")
    assert announced == []
