"""Windows of many sources share batches, and every source gets its own rows back, in order."""

from __future__ import annotations

from itertools import count

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.engines.batching import MOST_SHAPES, Batch, Batcher, Rows
from torch_zoo.utils.types import Windows, empty

SHAPES = [(2,), (2, 3), (4,)]

# For each source its window shape and how many windows come at a time; the order in which the sources come.
plans = st.lists(st.tuples(st.sampled_from(SHAPES), st.lists(st.integers(0, 9), max_size=5)), max_size=6)


@given(plans, st.integers(1, 7), st.randoms(use_true_random=False))
def test_each_source_gets_its_own_rows_in_order(plan, batch_size, random) -> None:  # type: ignore[no-untyped-def]
    batcher, numbers = Batcher(batch_size, empty), count()
    sources = [(Rows(), shape, list(sizes)) for shape, sizes in plan]
    expected: dict[Rows, list[int]] = {rows: [] for rows, _, _ in sources}
    outputs: dict[Rows, list[float]] = {rows: [] for rows, _, _ in sources}
    waiting: list[Batch] = []

    def compute(batch: Batch) -> None:
        """In any order: batches of different shapes overtake each other."""
        for part, values in batch.scatter({"row": batch.data.reshape(len(batch.data), -1)[:, 0].copy()}):
            for computed, times in part.rows.in_order(part, values):
                outputs[part.rows] += computed["row"].tolist()
                assert times[:, 0].tolist() == computed["row"].tolist()
        batcher.recycle(batch)

    todo = list(sources)
    while todo:
        rows, shape, sizes = random.choice(todo)
        if not sizes:
            rows.ended = True
            todo = [each for each in todo if each[0] is not rows]
            continue
        values = [next(numbers) for _ in range(sizes.pop(0))]
        expected[rows] += values
        data = np.array(values, np.float64).reshape(-1, *[1] * len(shape)) * np.ones(shape)
        times = np.array([[value, value + 1] for value in values], np.float64).reshape(-1, 2)
        for batch in batcher.add(rows, Windows(data, times)):
            assert len(batch.data) == batch_size
            waiting.append(batch)
        random.shuffle(waiting)
        while waiting and random.random() < 0.5:
            compute(waiting.pop())
    for batch in [*waiting, *batcher.flush()]:
        assert 1 <= len(batch.data) <= batch_size
        compute(batch)
    assert outputs == expected
    assert all(rows.finished for rows, _, _ in sources)


def windows(number: int, width: int) -> Windows:
    return Windows(np.zeros((number, width)), np.zeros((number, 2)))


def test_shapes_and_types_do_not_mix() -> None:
    batcher, rows = Batcher(4, empty), Rows()
    for width in (3, 5):
        assert list(batcher.add(rows, windows(2, width))) == []
    assert list(batcher.add(rows, Windows(np.zeros((1, 3), np.uint8), np.zeros((1, 2))))) == []
    assert sorted((batch.data.shape, str(batch.data.dtype)) for batch in batcher.flush()) == [
        ((1, 3), "uint8"),
        ((2, 3), "float64"),
        ((2, 5), "float64"),
    ]


def test_many_shapes_hold_no_more_memory_than_a_few() -> None:
    batcher = Batcher(4, empty)
    started = [batch for width in range(1, 10) for batch in batcher.add(Rows(), windows(2, width))]
    assert [batch.data.shape for batch in started] == [(2, width) for width in range(1, 10 - MOST_SHAPES)]
    assert len(list(batcher.flush())) == MOST_SHAPES


def test_memory_of_a_batch_is_used_again() -> None:
    made = []

    def allocate(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        made.append(shape)
        return np.empty(shape, dtype)

    batcher = Batcher(4, allocate)
    for _ in range(5):
        for batch in [*batcher.add(Rows(), windows(6, 3)), *batcher.flush()]:
            batcher.recycle(batch)
    assert len(made) <= 2


def test_rows_are_unfinished_until_all_have_come() -> None:
    batcher, rows = Batcher(2, empty), Rows()
    (batch,) = batcher.add(rows, windows(2, 3))
    rows.ended = True
    assert not rows.finished
    for part, outputs in batch.scatter({"x": batch.data}):
        list(rows.in_order(part, outputs))
    assert rows.finished
