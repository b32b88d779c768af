"""Windows of many sources share batches, and every source gets its own rows back, in order."""

from __future__ import annotations

from itertools import count

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.engines.batching import Batch, Batcher, Job
from torch_zoo.utils.types import Source, Windows

SHAPES = [(2,), (2, 3), (4,)]

# For each source its window shape and how many windows come at a time; the order in which the sources come.
jobs = st.lists(st.tuples(st.sampled_from(SHAPES), st.lists(st.integers(0, 9), max_size=5)), max_size=6)


@given(jobs, st.integers(1, 7), st.randoms(use_true_random=False))
def test_each_job_gets_its_own_rows_in_order(plan, batch_size, random) -> None:  # type: ignore[no-untyped-def]
    batcher, numbers = Batcher(batch_size), count()
    todo, expected, finished = [], [], []
    for index, (shape, sizes) in enumerate(plan):
        todo.append((Job(Source(str(index), str(index))), shape, list(sizes)))
        expected.append([])

    def compute(batch: Batch) -> None:
        assert 1 <= len(batch.data) <= batch_size
        assert sum(rows for _, rows in batch.parts) == len(batch.data)
        first = batch.data.reshape(len(batch.data), -1)[:, :1]
        finished.extend(job for job in batch.scatter({"row": first}) if job.finished)

    while todo:
        job, shape, sizes = random.choice(todo)
        if not sizes:
            job.decoded = True
            if job.finished:
                finished.append(job)
            todo = [each for each in todo if each[0] is not job]
            continue
        rows = [next(numbers) for _ in range(sizes.pop(0))]
        expected[int(job.source.name)] += rows
        data = np.array(rows, np.float64).reshape(-1, *[1] * len(shape)) * np.ones(shape)
        for batch in batcher.add(job, Windows(data, np.array([[row, row + 1] for row in rows]).reshape(-1, 2))):
            assert len(batch.data) == batch_size
            compute(batch)
    for batch in batcher.flush():
        compute(batch)

    assert sorted(job.source.name for job in finished) == sorted(str(index) for index in range(len(plan)))
    for job in finished:
        rows = expected[int(job.source.name)]
        assert job.arrays().get("row", np.zeros((0, 1)))[:, 0].tolist() == rows
        assert job.spans()[:, 0].tolist() == rows


def test_shapes_do_not_mix() -> None:
    batcher, job = Batcher(4), Job(Source("a", "a"))
    times = np.zeros((2, 2))
    for width in (3, 5):
        assert list(batcher.add(job, Windows(np.zeros((2, width)), times))) == []
    assert sorted(batch.data.shape for batch in batcher.flush()) == [(2, 3), (2, 5)]


def test_failed_job_is_never_finished() -> None:
    batcher, job = Batcher(2), Job(Source("a", "a"))
    (batch,) = batcher.add(job, Windows(np.zeros((2, 3)), np.zeros((2, 2))))
    job.decoded = job.failed = True
    assert [each.finished for each in batch.scatter({"x": batch.data})] == [False]
