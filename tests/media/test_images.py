"""Resizing of frames, compared with figures from the published pipeline."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from video_maker import LOSSLESS, decode, pattern, write_video

from torch_zoo.utils.media.images import resize, resized_size
from torch_zoo.utils.types import MediaError


def test_the_resized_sample_is_as_published(shared_sample, golden):
    stack = np.stack([resize(frame.image(), 256) for frame in decode(shared_sample, end=3.3)[1]])
    expected = json.loads((golden / "preproc_values.json").read_text())["resized_stack0"]
    values = stack.transpose(0, 3, 1, 2).astype(np.float32)
    assert list(values.shape) == expected["shape"]
    assert values.ravel()[:4].tolist() == expected["first4"]
    assert (values.min(), values.max()) == (expected["min"], expected["max"])
    assert values.mean(dtype=np.float64) == pytest.approx(expected["mean"], abs=1e-9)
    assert values.std(dtype=np.float64) == pytest.approx(expected["std"], abs=1e-9)
    with np.load(golden / "preproc_i3d_sample.npz") as arrays:
        np.testing.assert_array_equal(values[0, :, ::8, ::8], arrays["resized_frame0_sub8"])


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_the_smaller_edge_becomes_256_and_the_other_is_truncated(width, height):
    published = (256, int(256 * height / width)) if width < height else (int(256 * width / height), 256)
    assert resized_size(width, height, 256) == published


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640), (100, 80), (300, 300)])
def test_resizing_equals_pillows(width, height):
    image = pattern(3, width, height)
    expected = Image.fromarray(image).resize(resized_size(width, height, 256), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resize(image, 256), expected)


@pytest.mark.parametrize(("width", "height"), [(256, 300), (341, 256), (256, 256)])
def test_an_image_of_the_right_size_is_unchanged(width, height):
    image = pattern(0, width, height)
    assert resize(image, 256) is image


@pytest.mark.parametrize("size", [(2, 4096), (4096, 2)])
def test_an_extremely_narrow_frame_is_refused(size, tmp_path):
    path = write_video(tmp_path / "x.mkv", 1, size=size, **LOSSLESS)
    with pytest.raises(MediaError, match=f"its frames are {size[0]} x {size[1]} px; resized to .* limit of 4,194,304"):
        decode(path, transform=lambda image: resize(image, 256))[1][0].image()


def test_the_longest_frame_that_is_resized():
    assert resize(np.zeros((1, 64, 3), np.uint8), 256).shape == (256, 16384, 3)
    with pytest.raises(MediaError, match="limit"):
        resize(np.zeros((1, 65, 3), np.uint8), 256)
