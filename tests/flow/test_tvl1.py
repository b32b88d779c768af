"""TV-L1 recovers a known motion, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from torch_zoo.models.flow.estimator import PairwiseFlow
from torch_zoo.models.flow.tvl1 import tvl1
from torch_zoo.utils import heartbeat


@pytest.fixture(scope="module")
def frames():
    """A smooth texture that moves 2 pixels to the right and 1 up from frame to frame, (3, 96, 128, 3) uint8."""
    noise = np.random.default_rng(0).random((120, 160), np.float32)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    views = [texture[10 + t : 106 + t, 20 - 2 * t : 148 - 2 * t] for t in range(3)]
    return np.stack([np.repeat(view[..., None], 3, axis=2) for view in views])


def test_flow_is_the_shift_of_the_texture(frames):
    flow = tvl1(frames)
    assert (flow.shape, flow.dtype) == ((2, 2, 96, 128), np.float32)
    inside = flow[..., 8:-8, 8:-8]
    np.testing.assert_allclose(inside.mean((2, 3)), [[2, -1], [2, -1]], atol=0.05)
    assert np.abs(inside - np.array([2, -1]).reshape(2, 1, 1)).mean() < 0.1


def test_colors_are_weighted_by_luma(frames):
    red, blue = np.zeros_like(frames), np.zeros_like(frames)
    red[..., 0], blue[..., 2] = frames[..., 0], frames[..., 2]
    gray = [np.repeat(np.rint(weight * frames[..., :1].astype(float)), 3, axis=3) for weight in (0.299, 0.114)]
    for color, expected in zip((red, blue), gray, strict=True):
        np.testing.assert_allclose(tvl1(color), tvl1(expected.astype(np.uint8)), atol=0.2)


def test_one_frame_has_no_flow(frames):
    assert tvl1(frames[:1]).shape == (0, 2, 96, 128)


def test_it_is_thread_safe(frames):
    work = [frames[[first, second]] for first, second in ((0, 1), (1, 2), (1, 0), (0, 2))]
    alone = [tvl1(pair) for pair in work]
    with ThreadPoolExecutor(4) as threads:
        for ours, expected in zip(threads.map(tvl1, work * 3), alone * 3, strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_it_says_how_many_pairs_are_done(frames, monkeypatch):
    said = []
    monkeypatch.setattr(heartbeat, "_listeners", [SimpleNamespace(beat=said.append)])
    flow = PairwiseFlow()
    flow(stack := list(frames))
    assert [each for each in said if each] == ["computing flow, 1 of 2 pairs", "computing flow, 2 of 2 pairs"]
    assert said.count("") == 2  # as each begins
    said.clear()
    flow([*stack[1:], frames[0]])  # one pair is known
    assert [each for each in said if each] == ["computing flow, 1 of 1 pairs"]
