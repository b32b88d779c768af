"""The rows that a dry run expects are those that a run makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from media_maker import KINDS, write_kind, write_vorbis
from video_maker import ffmpeg

from torch_zoo.models.i3d.extractor import I3DExtractor
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.models.vggsound.extractor import VGGSoundExtractor
from torch_zoo.utils.media import headers
from torch_zoo.utils.media.streams import NoStreamError
from torch_zoo.utils.types import MediaError, Source

SECONDS = 5.33
SEGMENTS = [(0.0, None), (1.03, 3.1), (2.5, None), (4.9, 9.0)]  # s
COUNTED = {"flac.flac", "16bit.wav", "24bit.wav", "8bit.wav", "float.wav"}  # kinds whose header counts the samples
EXTRACTORS = {
    "vggish": VGGishExtractor(),
    "vggish, overlapping": VGGishExtractor(hop_seconds=0.5),
    "vggish, padded": VGGishExtractor(last_window="pad"),
    "vggsound, the first window": VGGSoundExtractor(window_seconds=1),
    "vggsound, overlapping": VGGSoundExtractor(window_seconds=1, hop_seconds=0.4),
    "vggsound, tiled": VGGSoundExtractor(window_seconds=1, hop_seconds=1, last_window="tile"),
    "i3d": I3DExtractor(streams="rgb", stack_size=10, step_size=1),
    "i3d, cycled": I3DExtractor(streams="rgb", stack_size=10, step_size=7, last_window="cycle"),
    "i3d, resampled": I3DExtractor(streams="rgb", stack_size=10, step_size=3, extraction_fps=7),
}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("media")
    written = {kind: write_kind(folder, kind, SECONDS)[0] for kind in KINDS}
    return {**written, "vorbis": write_vorbis(folder / "x.ogg", SECONDS)}


def real(extractor: Any, source: Source) -> int:
    return sum(len(windows.data) for windows in extractor.windows(source))


@pytest.mark.parametrize("kind", [*KINDS, "vorbis"])
@pytest.mark.parametrize("name", EXTRACTORS)
def test_expected_rows_are_those_of_a_run(name: str, kind: str, media: dict[str, Path]) -> None:
    """One more or less where the length is not certain."""
    extractor = EXTRACTORS[name]
    if name.startswith("i3d") and KINDS.get(kind, (0, 0, None))[2] is None:
        with pytest.raises(NoStreamError, match="no video stream"):
            extractor.probe(Source(str(media[kind]), "x"))
        return
    for start, end in SEGMENTS:
        source = Source(str(media[kind]), "x", start, end)
        probe, rows = extractor.probe(source), real(extractor, source)
        assert probe.rows is not None
        assert abs(probe.rows - rows) <= (0 if probe.exact else 1), (start, end)


@pytest.mark.parametrize("kind", [*KINDS, "vorbis"])
def test_what_is_certain(kind: str, media: dict[str, Path]) -> None:
    """Rows of 10 ms would show a difference of a few samples."""
    extractor, source = VGGishExtractor(hop_seconds=0.01), Source(str(media[kind]), "x")
    probe = extractor.probe(source)
    assert probe.exact == (kind in COUNTED)
    assert probe.seconds == pytest.approx(SECONDS, abs=0 if probe.exact else 0.1)
    if probe.exact:
        assert probe.rows == real(extractor, source)


def test_frames_of_mp4_are_counted(media: dict[str, Path]) -> None:
    for kind, counted in {"h264+aac.mp4": True, "mpeg2+aac.ts": False}.items():
        assert EXTRACTORS["i3d"].probe(Source(str(media[kind]), "x")).exact == counted


def test_streams_and_rate(media: dict[str, Path]) -> None:
    source = Source(str(media["h264+aac.mp4"]), "x")
    for name, rate in {"vggish": 44100, "i3d": 25, "i3d, resampled": 7}.items():
        probe = EXTRACTORS[name].probe(source)
        assert (probe.streams, probe.rate) == ("h264 64x48 25 fps, aac 44100 Hz", rate)


def test_pooled_rows_are_one_or_none(media: dict[str, Path]) -> None:
    extractor = VGGishExtractor(pooling="mean")
    assert [extractor.probe(Source(str(media["16bit.wav"]), "x", 0, end)).rows for end in (None, 0.5)] == [1, 0]


@pytest.mark.parametrize("name", ["vggish", "i3d"])
def test_a_segment_behind_the_end_fails_as_in_a_run(name: str, media: dict[str, Path]) -> None:
    extractor, source = EXTRACTORS[name], Source(str(media["h264+aac.mp4"]), "x", 6.0, 7.0)
    for fails in (lambda: real(extractor, source), lambda: extractor.probe(source)):
        with pytest.raises(MediaError, match=r"the segment starts at 6 s, but the \w+ ends? at 5\.3\d s"):
            fails()


@pytest.mark.parametrize("name", ["i3d", "i3d, resampled"])
def test_a_video_that_starts_after_its_sound(name: str, media: dict[str, Path], tmp_path: Path) -> None:
    path, late = tmp_path / "late.mp4", ("-itsoffset", 1.2, "-i", media["h264+aac.mp4"])
    ffmpeg("-i", media["aac.m4a"], *late, "-map", "0:a", "-map", "1:v", "-c", "copy", path)
    for start, end in SEGMENTS:
        source = Source(str(path), "x", start, end)
        assert EXTRACTORS[name].probe(source).rows == real(EXTRACTORS[name], source), (start, end)


@pytest.mark.parametrize(("end", "rate"), [(None, 25.0), (2.0, 0.0)])
def test_a_file_that_states_no_length_or_no_frame_rate(end: float | None, rate: float) -> None:
    header = headers.Header("h264 64x48 0 fps", 0.0, end, exact=False)
    probe = header.probe(Source("x", "x"), rate, round, lambda frames: frames)
    assert (probe.seconds, probe.rows) == (None, None)
