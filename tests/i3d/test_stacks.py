"""Which frames make a stack, and their preprocessing."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.models.i3d.stacks import center_crop, num_stacks, quantize_flow, sliding_stacks

SIZES = st.integers(10, 40)


def chosen(frames: int, size: int, step: int, cycled: bool = False) -> list[list[int]]:
    return [list(stack) for stack in sliding_stacks(range(frames), size, step, int, cycled)]


@given(frames=st.integers(0, 200), size=SIZES, step=st.integers(1, 90))
def test_stacks_match_brute_force(frames, size, step):
    every = [list(range(first, first + size + 1)) for first in range(0, frames, step) if first + size < frames]
    assert chosen(frames, size, step) == every
    assert len(every) == max(0, (frames - size - 1) // step + 1 if frames > size else 0)
    assert len(every) == num_stacks(frames, size, step)


@given(frames=st.integers(1, 200), size=SIZES, step=st.integers(1, 90))
def test_cycled_stacks_match_brute_force(frames, size, step):
    length = size + 1
    if frames < length:
        expected = [[position % frames for position in range(length)]]
    else:
        full = (frames - length) // step + 1
        expected = [list(range(first * step, first * step + length)) for first in range(full)]
        rest = list(range(full * step, frames))
        if frames % length >= 0.2 * length and rest:
            expected.append([rest[position % len(rest)] for position in range(length)])
    assert chosen(frames, size, step, cycled=True) == expected
    assert len(expected) == num_stacks(frames, size, step, cycled=True)


@pytest.mark.parametrize(("frames", "size", "stacks_made"), [(355, 64, 6), (420, 64, 7), (452, 24, 18)])
def test_published_examples_of_cycled_stacks(frames, size, stacks_made):
    assert len(chosen(frames, size, size, cycled=True)) == stacks_made


@pytest.mark.parametrize(
    ("frames", "size", "step", "stacks_made"), [(355, 64, 64, 5), (451, 24, 24, 18), (271, 24, 12, 21)]
)
def test_published_numbers_of_stacks(frames, size, step, stacks_made):
    assert len(chosen(frames, size, step)) == stacks_made


def test_quantized_flow_and_its_scale_match_the_published_table(golden):
    table = json.loads((golden / "preproc_values.json").read_text())["flow_quantization_table"]
    flow = np.array([row["flow"] for row in table], np.float32)
    np.testing.assert_array_equal(quantize_flow(flow), [row["quantized"] for row in table])
    scaled = 2 * torch.from_numpy(quantize_flow(flow)).float() / 255 - 1
    np.testing.assert_allclose(scaled, [row["scaled"] for row in table], rtol=0, atol=1e-7)


@pytest.mark.parametrize(("height", "width"), [(256, 341), (455, 256), (256, 256)])
def test_center_crop_leaves_the_odd_pixel_at_the_end(height, width):
    rows, columns = np.mgrid[:height, :width]
    crop = center_crop(np.stack([rows, columns, rows], axis=-1))
    assert crop.shape == (224, 224, 3)
    assert tuple(crop[0, 0, :2]) == ((height - 224) // 2, (width - 224) // 2)
