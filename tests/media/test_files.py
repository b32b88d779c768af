"""Files that no decoder should open are refused immediately, in one line."""

from __future__ import annotations

import os

import pytest
from media_maker import decode, write_kind

from torch_zoo.utils.media.files import check_readable
from torch_zoo.utils.media.opening import Media
from torch_zoo.utils.types import MediaError


def test_a_fifo_without_a_writer(tmp_path):
    os.mkfifo(tmp_path / "x.wav")
    with pytest.raises(MediaError, match=r"a pipe or a device, not a regular file"):
        decode(tmp_path / "x.wav")


def test_a_pipe_with_media_in_it(tmp_path):
    path, _, _ = write_kind(tmp_path, "16bit.wav", 0.1)
    reading, writing = os.pipe()
    try:
        os.write(writing, path.read_bytes()[:4096])
        with pytest.raises(MediaError, match=r"not a regular file"):
            check_readable(Media("x.wav", f"/dev/fd/{reading}"))
        assert os.read(reading, 4) == b"RIFF"  # nothing was consumed
    finally:
        os.close(reading)
        os.close(writing)


def test_a_device():
    with pytest.raises(MediaError, match=r"not a regular file"):
        check_readable(Media("zero", "/dev/zero"))


@pytest.mark.parametrize("name", ["x.mp3", "x.ac3", "x.wav"])
def test_a_preallocated_but_empty_download(name, tmp_path):
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, 50 << 20)  # sparse
    with pytest.raises(MediaError, match=r"nothing but zeros.*fetch the file again"):
        decode(tmp_path / name)
