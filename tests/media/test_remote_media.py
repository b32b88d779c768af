"""Media behind URLs are decoded as local files are, however they are fetched and whatever their server does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from faulty_server import Web
from media_maker import KINDS, noise_and_tone, write_kind, write_media
from video_maker import write_video

from torch_zoo.utils import heartbeat, remote, remote_file, storage
from torch_zoo.utils.media import fetching, protocols
from torch_zoo.utils.media.audio import Decoder, open_audio
from torch_zoo.utils.media.video import open_video
from torch_zoo.utils.types import MediaError, Source

TEN_SECONDS = 10


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(fetching, "LOOK_SECONDS", 0.02)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.7 MB."""
    path = tmp_path_factory.mktemp("sound") / "x.wav"
    return write_media(path, noise_and_tone(TEN_SECONDS, 44100), 44100, "pcm_s16le")


@pytest.fixture
def by_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MEMORY_BYTES", 1000)
    monkeypatch.setattr(fetching, "WHOLE_BYTES", 2000)
    monkeypatch.setattr(remote_file, "BLOCK_BYTES", 100_000)


def samples(path: str | Path, start: float = 0.0, end: float | None = None, decoder: Decoder = "auto") -> np.ndarray:
    with open_audio(Source(str(path), "x", start, end), decoder) as audio:
        return np.concatenate(list(audio.blocks), axis=1)


def put(bucket: str, path: Path) -> str:
    with storage.atomic_write(url := f"{bucket}/v/{path.name}") as file:
        file.write(path.read_bytes())
    return url


def memory_files() -> list[str]:
    """Of this process, that are open."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
    return [name for name in found if "memfd:media" in name]


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_decoded_as_from_a_local_file(kind: str, tmp_path: Path, web: Web) -> None:
    path, *_ = write_kind(tmp_path, kind)
    url = web.put(f"v/{kind}", path.read_bytes())
    assert np.array_equal(samples(url), samples(path))
    assert np.array_equal(samples(url, 0.5, 1.2), samples(path, 0.5, 1.2))
    assert not memory_files()


@pytest.mark.parametrize("kind", ["h264+aac.mp4", "mpeg4+aac.mkv", "lame.mp3", "flac.flac", "24bit.wav"])
def test_every_way_to_read_gives_the_same(kind: str, tmp_path: Path, bucket: str, by_ranges: None) -> None:
    path, *_ = write_kind(tmp_path, kind)
    url = put(bucket, path)
    assert np.array_equal(samples(url), samples(path))
    assert np.array_equal(samples(url, 0.5, 1.2), samples(path, 0.5, 1.2))


def test_other_programs_get_a_file(tmp_path: Path, web: Web, by_ranges: None) -> None:
    path, *_ = write_kind(tmp_path, "h264+aac.mp4")
    url = web.put("x.mp4", path.read_bytes())
    assert np.array_equal(samples(url, decoder="ffmpeg"), samples(path, decoder="ffmpeg"))
    assert np.array_equal(samples(url, 0.5, 1.0, "ffmpeg"), samples(path, 0.5, 1.0, "ffmpeg"))


@pytest.mark.parametrize("how", [{}, {"fps": 10.0, "fps_method": "reencode"}])
def test_frames(how: dict[str, object], tmp_path: Path, web: Web) -> None:
    path = write_video(tmp_path / "x.mkv", 50)
    url = web.put("x.mkv", path.read_bytes())
    images = []
    for location in (url, str(path)):
        with open_video(Source(location, "x", 0.2, 1.4), **how) as video:  # type: ignore[arg-type]
            images.append([(frame.pts, frame.image().sum()) for frame in video.frames])
    assert images[0] == images[1] and images[0]


def test_a_small_object_is_asked_for_once_and_ahead(sound: Path, web: Web) -> None:
    url = web.put("x.wav", sound.read_bytes())
    fetching.fetcher().ahead(source := Source(url, "x"))
    fetching.fetcher()._fetches[url, "whole"].held.result(5)
    assert web.asked == [("GET", "/x.wav", "")]
    with open_audio(source) as audio:
        assert sum(block.shape[1] for block in audio.blocks) == 441_000
    assert len(web.asked) == 1
    assert not memory_files()


def test_segments_of_one_object_share_what_is_fetched(sound: Path, web: Web, by_ranges: None) -> None:
    url = web.put("x.wav", sound.read_bytes())
    sources = [Source(url, f"{start}", start, start + 1.0) for start in (1.0, 2.0, 1.5)]
    for source in sources:
        fetching.fetcher().ahead(source)
    for source in sources:
        with open_audio(source) as audio:
            got = np.concatenate(list(audio.blocks), axis=1)
        assert np.array_equal(got, samples(sound, source.start, source.end))
    ranges = [span for method, _, span in web.asked if method == "GET"]
    assert len(ranges) == len(set(ranges)) < 10  # of 18 blocks


def test_an_object_of_medium_size_goes_to_a_file_without_a_name(
    sound: Path, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MEMORY_BYTES", 1_000_000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    url = web.put("x.wav", sound.read_bytes())
    with open_audio(Source(url, "x")) as audio:
        assert not list(tmp_path.iterdir())
        assert sum(block.shape[1] for block in audio.blocks) == 441_000


@pytest.mark.parametrize("faults", [{"drops": 1}, {"drops": 3, "ranges": False}, {"statuses": [503, 502]}])
def test_what_passes_costs_only_time(faults: dict[str, object], sound: Path, web: Web) -> None:
    url = web.put("x.wav", sound.read_bytes(), **faults)
    assert np.array_equal(samples(url), samples(sound))


def test_a_broken_download_is_resumed_where_it_broke(sound: Path, web: Web) -> None:
    url = web.put("x.wav", sound.read_bytes(), drops=1)
    assert np.array_equal(samples(url), samples(sound))
    first, second = (span for _, _, span in web.asked)
    assert first == ""
    assert second == f"bytes={len(sound.read_bytes()) // 2}-{len(sound.read_bytes()) - 1}"


@pytest.mark.parametrize("faults", [{"ranges": False}, {"sized": False}, {"drops": 2}])
def test_segments_from_servers_with_faults(
    faults: dict[str, object], sound: Path, web: Web, by_ranges: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "WHOLE_BYTES", 10_000_000)
    url = web.put("x.wav", sound.read_bytes(), **faults)
    assert np.array_equal(samples(url, 3.0, 4.5), samples(sound, 3.0, 4.5))


ERRORS: dict[str, tuple[dict[str, object], str]] = {
    "denied": ({"statuses": [403] * 9}, r"^access denied \(HTTP 403\)$"),
    "gone": ({"statuses": [410] * 9}, r"^no such file \(HTTP 410\)$"),
    "busy": ({"statuses": [503] * 99}, r"^the server is too busy or out of order \(HTTP 503\)$"),
    "broken": ({"drops": 99}, r"^the connection breaks off$"),
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("start", [0.0, 3.0])
def test_what_stays_is_the_error_of_the_source(
    error: str, start: float, sound: Path, web: Web, by_ranges: None
) -> None:
    faults, message = ERRORS[error]
    url = web.put("x.wav", sound.read_bytes(), **faults)
    with pytest.raises(MediaError, match=message):
        samples(url + "?token=hush", start, 9.0)


def test_a_server_that_stalls_or_is_not_there(sound: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "READ_SECONDS", 0.1)
    monkeypatch.setattr(remote, "_systems", {})
    with pytest.raises(MediaError, match=r"^the server does not answer$"):
        samples(web.put("x.wav", sound.read_bytes(), stalls=True))
    with pytest.raises(MediaError, match=r"^the server cannot be reached$"):
        samples("http://127.0.0.1:9/x.wav")


def test_missing_objects_and_buckets(bucket: str) -> None:
    with pytest.raises(MediaError, match=r"^no such file"):
        samples(bucket + "/gone.wav")
    with pytest.raises(MediaError, match=r"^no such bucket$"):
        samples(bucket + "gone/x.wav")


def test_an_endless_stream_without_a_size_is_given_up(sound: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MEMORY_BYTES", 100_000)
    monkeypatch.setattr(fetching, "WHOLE_BYTES", 500_000)
    for start in (0.0, 1.0):
        with pytest.raises(MediaError, match=r"states no size, and it is larger than 500,000 bytes"):
            samples(web.put("x.wav", sound.read_bytes(), sized=False), start)


def test_bytes_that_arrive_are_progress(sound: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[str] = []
    monkeypatch.setattr(heartbeat, "_listeners", [SimpleNamespace(beat=beats.append, announce=lambda _: None)])
    url = web.put("x.wav", sound.read_bytes(), bytes_per_second=4_000_000)
    with open_audio(Source(url, "x")):
        assert beats.count("fetching") > 5
    beats.clear()
    monkeypatch.setattr(remote, "READ_SECONDS", 0.3)
    monkeypatch.setattr(remote, "_systems", {})
    with pytest.raises(MediaError, match="does not answer"):
        samples(web.put("y.wav", sound.read_bytes(), stalls=True))
    assert len(beats) < 10


def test_what_is_wrong_with_a_file_is_seen_as_in_a_local_one(web: Web) -> None:
    for content, message in ((b"", "empty"), (bytes(5000), "nothing but zeros"), (b"<html>" * 99, "not a media file")):
        with pytest.raises(MediaError, match=message):
            samples(web.put("x.mp3", content))


def test_playlists_are_fetched_by_ffmpeg(
    tmp_path: Path, web: Web, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, *_ = write_kind(tmp_path, "mpeg2+aac.ts")
    web.put("v/mpeg2+aac.ts", path.read_bytes())
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nmpeg2+aac.ts\n#EXT-X-ENDLIST\n"
    url = web.put("v/list.m3u8", playlist)
    with pytest.raises(MediaError, match=r"a playlist, which names other files; allow_protocols=\[http\]"):
        samples(url)
    monkeypatch.setattr(protocols, "_allowed", ("http",))
    assert len(samples(url)[0]) >= 2 * 48000
    (tmp_path / "list.m3u8").write_bytes(playlist)
    with pytest.raises(MediaError, match="a playlist, which can be read from a web server or a local folder only"):
        samples(put(bucket, tmp_path / "list.m3u8"))


def test_the_query_of_a_signed_url_is_sent_as_it_is(sound: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    handler: Callable[..., object] = web.handler.do_GET
    monkeypatch.setattr(web.handler, "do_GET", lambda self: (asked.append(self.path), handler(self)))
    url = web.put("a b.wav", sound.read_bytes()).replace(" ", "%20") + "?X-Amz-Credential=a%2Fb&sig=x%2By%3D"
    assert np.array_equal(samples(url), samples(sound))
    assert asked == ["/a%20b.wav?X-Amz-Credential=a%2Fb&sig=x%2By%3D"]
