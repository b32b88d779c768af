"""Labels do not overlap, stay in the picture and near their points."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from torch_zoo.utils.maps.labels import Box, place

AREA = Box(10, 20, 400, 300)


def pixels(box: Box) -> set[tuple[int, int]]:
    """Whose center lies in it."""
    x = np.arange(np.ceil(box.left - 0.5), np.ceil(box.left + box.width - 0.5)).astype(int)
    y = np.arange(np.ceil(box.bottom - 0.5), np.ceil(box.bottom + box.height - 0.5)).astype(int)
    return {(column, row) for column in x.tolist() for row in y.tolist()}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_labels_share_no_pixel_and_stay_inside(seed: int, number: int) -> None:
    generator = np.random.default_rng(seed)
    anchors = generator.normal([200, 150], 30, (number, 2))
    sizes = [tuple(each) for each in generator.uniform([10, 8], [70, 14], (number, 2)).tolist()]
    boxes = place(anchors, sizes, AREA)
    assert len(boxes) == number and boxes[0]
    taken: set[tuple[int, int]] = set()
    inside = pixels(AREA)
    for box, (width, height) in zip(boxes, sizes, strict=True):
        if box:
            assert (box.width, box.height) == (width, height)
            assert pixels(box) <= inside
            assert not pixels(box) & taken
            taken |= pixels(box)


def test_a_label_alone_stands_above_its_point() -> None:
    [box] = place(np.array([[100.0, 100.0]]), [(40, 10)], AREA, gap=4)
    assert box
    np.testing.assert_allclose([box.left, box.bottom, box.distance(100, 100)], [80, 104, 4])
    assert (box.distance(90, 110), box.distance(123, 118)) == (0, 5)


def test_labels_of_one_point_surround_it_and_those_without_room_are_left_out() -> None:
    anchors = np.tile([[210.0, 170.0]], (6, 1))
    boxes = place(anchors, [(40, 10)] * 6, AREA)
    assert all(boxes)
    for box in filter(None, boxes):
        assert np.hypot(box.left + 20 - 210, box.bottom + 5 - 170) < 60
    tight = place(anchors, [(40, 10)] * 6, Box(180, 155, 60, 30))
    assert 1 <= sum(box is not None for box in tight) < 6
    assert place(np.array([[0.0, 0.0]]), [(500, 10)], AREA) == [None]
