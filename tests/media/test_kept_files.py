"""keep_tmp_files replaces only files that an earlier run kept."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from media_maker import decode, write_kind
from PIL import Image
from video_maker import decode as decode_video
from video_maker import ffmpeg, pattern, write_video

from torch_zoo.utils.media.audio import keep_wav, open_audio
from torch_zoo.utils.media.images import keep_frames
from torch_zoo.utils.types import Source

NOT_OURS = "it was not kept by an earlier run and is not replaced; choose another tmp_path"


def keep(path: Path, kept: Path, start: float = 0.0) -> None:
    with open_audio(Source(str(path), "x", start)) as audio:
        for _ in keep_wav(audio.blocks, audio.rate, kept, str(path)):
            pass


def reencode(path: Path, kept: Path) -> None:
    decode_video(path, fps=12, fps_method="reencode", keep=kept)


def frames_of(path: Path, folder: Path) -> int:
    return sum(1 for _ in keep_frames(decode_video(path)[1], folder))


def test_a_wav_is_replaced_by_the_next_run(tmp_path):
    path, samples, _ = write_kind(tmp_path, "16bit.wav")
    for start in (0.0, 1.0):
        keep(path, tmp_path / "kept.wav", start)
        np.testing.assert_array_equal(decode(tmp_path / "kept.wav"), samples[round(start * 44100) :])


@pytest.mark.parametrize("link", [False, True])
def test_the_source_is_never_replaced(link, tmp_path):
    path, _, _ = write_kind(tmp_path, "16bit.wav")
    kept = tmp_path / "kept.wav"
    keep(path, kept)  # is ours, and now a source
    content = kept.read_bytes()
    source = kept
    if link:
        source = tmp_path / "link.wav"
        source.symlink_to(kept)
    with pytest.raises(FileExistsError, match="it is the source itself; choose another tmp_path") as caught:
        keep(source, kept, 1.0)
    assert caught.value.filename == str(kept)
    assert kept.read_bytes() == content


def test_another_wav_is_never_replaced(tmp_path):
    path, _, _ = write_kind(tmp_path, "h264+aac.mp4")
    other, _, _ = write_kind(tmp_path, "16bit.wav")
    content = other.read_bytes()
    with pytest.raises(FileExistsError, match=NOT_OURS):
        keep(path, other)
    assert other.read_bytes() == content
    assert sorted(tmp_path.iterdir()) == sorted([path, other])


def test_an_mp4_is_replaced_by_the_next_run_and_another_never(tmp_path):
    path = write_video(tmp_path / "x.mp4", 24)
    kept = tmp_path / "kept.mp4"
    reencode(path, kept)
    first = kept.read_bytes()
    reencode(path, kept)
    assert kept.read_bytes() == first
    other = write_video(tmp_path / "other.mp4", 12)
    content = other.read_bytes()
    with pytest.raises(FileExistsError, match=NOT_OURS):
        reencode(path, other)
    with pytest.raises(FileExistsError, match="it is the source itself"):
        reencode(kept, kept)
    assert (other.read_bytes(), kept.read_bytes()) == (content, first)


def test_a_kept_file_is_recognized_by_its_comment(tmp_path):
    path, _, _ = write_kind(tmp_path, "16bit.wav", 0.5)
    keep(path, tmp_path / "kept.wav")
    ffmpeg("-i", tmp_path / "kept.wav", "-map_metadata", "-1", tmp_path / "mine.wav")
    with pytest.raises(FileExistsError, match=NOT_OURS):
        keep(path, tmp_path / "mine.wav")


def test_frames_replace_those_of_an_earlier_run(tmp_path):
    folder = tmp_path / "frames"
    assert frames_of(write_video(tmp_path / "x.mp4", 12), folder) == 12
    assert frames_of(write_video(tmp_path / "y.mp4", 5), folder) == 5
    assert [path.name for path in sorted(folder.iterdir())] == [f"{number:06d}.jpg" for number in range(1, 6)]
    with Image.open(folder / "000003.jpg") as image:
        kept = np.asarray(image).astype(int)
    frame = decode_video(tmp_path / "y.mp4")[1][2].image()
    assert np.abs(kept - frame).mean() < 8  # JPEG with halved chroma, of a busy pattern


@pytest.mark.parametrize("name", ["000002.jpg", "holiday.jpg", "notes.txt", "subfolder"])
def test_a_folder_with_other_files_is_left_unchanged(name, tmp_path):
    folder = tmp_path / "frames"
    frames_of(write_video(tmp_path / "x.mp4", 3), folder)
    if name == "subfolder":
        (folder / name).mkdir()
    elif name.endswith("jpg"):
        Image.fromarray(pattern(0, 64, 48)).save(folder / name)
    else:
        (folder / name).write_text("mine")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(FileExistsError, match=NOT_OURS) as caught:
        frames_of(tmp_path / "x.mp4", folder)
    assert caught.value.filename == str(folder / name)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@contextmanager
def full_disk():
    """No file may grow beyond 20 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("made", "keeping", "kept"),
    [
        (lambda path: write_kind(path.parent, path.name), keep, "kept.wav"),
        (lambda path: write_video(path, 50, size=(320, 240)), reencode, "kept.mp4"),
    ],
)
def test_a_failed_write_reports_the_kept_file(made, keeping, kept, tmp_path):
    path = tmp_path / "h264+aac.mp4"
    made(path)
    with pytest.raises(OSError, match="cannot be written") as caught, full_disk():
        keeping(path, tmp_path / kept)
    assert caught.value.filename == str(tmp_path / kept)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("keeping", [keep, frames_of])
def test_a_folder_that_cannot_be_created_is_reported(keeping, tmp_path):
    path, _, _ = write_kind(tmp_path, "h264+aac.mp4", 0.2)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match=r"cannot be written|Not a directory|File exists") as caught:
        keeping(path, tmp_path / "file" / "kept.wav")
    assert str(tmp_path / "file") in caught.value.filename


@contextmanager
def another_process(work: Callable[[], object], at_replace: Callable[[], object]) -> Iterator[int]:
    """Does the work, and `at_replace` when a file is written and not yet in its place; yields its id."""
    child = os.fork()
    if not child:
        replace = os.replace
        os.replace = lambda *paths: (at_replace(), replace(*paths))
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield child
    finally:
        os.waitpid(child, 0)


def partial_files(folder: Path) -> set[Path]:
    return set(folder.rglob(".*.part"))


@pytest.mark.parametrize(
    ("made", "keeping", "kept"),
    [
        (lambda path: write_kind(path.parent, path.name), keep, "kept/x.wav"),
        (lambda path: write_video(path, 50), reencode, "kept/x.mp4"),
        (lambda path: write_video(path, 5), frames_of, "kept"),
    ],
)
def test_what_a_killed_process_left_half_written_is_removed(made, keeping, kept, tmp_path):
    path = tmp_path / "h264+aac.mp4"
    made(path)
    (tmp_path / "kept").mkdir()
    mine = {tmp_path / "kept" / name for name in (".mine.part", f".{os.getpid()}.0badcafe.part")}
    for file in mine:
        file.touch()
    with another_process(lambda: keeping(path, tmp_path / kept), lambda: os.kill(os.getpid(), signal.SIGKILL)):
        pass
    [left] = partial_files(tmp_path) - mine
    assert left.stat().st_size
    keeping(path, tmp_path / kept)
    assert partial_files(tmp_path) == mine


def test_what_a_live_process_is_writing_stays(tmp_path):
    path, samples, _ = write_kind(tmp_path, "16bit.wav")
    (reached, reaching), (released, releasing) = os.pipe(), os.pipe()

    def hold():
        os.write(reaching, b"!")
        os.read(released, 1)

    with another_process(lambda: keep(path, tmp_path / "theirs.wav"), hold):
        os.read(reached, 1)
        [theirs] = partial_files(tmp_path)
        keep(path, tmp_path / "ours.wav")
        left = partial_files(tmp_path)
        os.write(releasing, b"!")
    assert left == {theirs}
    np.testing.assert_array_equal(decode(tmp_path / "theirs.wav"), samples)
