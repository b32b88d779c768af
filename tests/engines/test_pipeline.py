"""Windows of many sources through two stages, in any order of arrival, with sources that fail or come again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from actors import Doubler
from hypothesis import given
from hypothesis import strategies as st

from torch_zoo.utils.engines.pipeline import Ended, Pipeline, Retried
from torch_zoo.utils.types import Features, Outcome, Source, Stage, Windows

GROUP = 3  # rows of the first stage in a window of the second one


@dataclass
class Groups:
    """Sums of three rows each; the last ones that fill no group are dropped, or repeated if the metadata say so."""

    held: list[tuple[float, float]] = field(default_factory=list)  # value and time

    def add(self, outputs: Mapping[str, np.ndarray], times: np.ndarray) -> Iterator[Windows]:
        self.held += zip(outputs["doubled"][:, 0].tolist(), times[:, 0].tolist(), strict=True)
        while len(self.held) >= GROUP:
            yield self.window()
            del self.held[:GROUP]

    def end(self, metadata: Mapping[str, np.ndarray]) -> Iterator[Windows]:
        if self.held and "repeat" in metadata:
            self.held = (self.held * GROUP)[:GROUP]
            yield self.window()

    def window(self) -> Windows:
        values, times = zip(*self.held[:GROUP], strict=True)
        return Windows(np.array([values]), np.array([[times[0], times[-1] + 1]]))


class Summer(Doubler):
    """Features are what the second stage gives."""

    def features(self, source: Source, arrays: Mapping[str, np.ndarray], times: np.ndarray) -> Features:
        return Features(source, {"sums": arrays.get("sums", np.zeros(0))}, times)


def pipeline(batch_size: int, written: dict[str, Features], outcomes: list[Outcome]) -> Pipeline:
    def double(batch: np.ndarray):  # type: ignore[no-untyped-def]
        doubled = 2 * batch
        return lambda: {"doubled": doubled}

    def add_up(batch: np.ndarray):  # type: ignore[no-untyped-def]
        sums = batch.sum(axis=1)
        return lambda: {"sums": sums}

    def write(features: Features) -> str:
        written[features.source.name] = features
        return ""

    stages = [Stage(double, 4), Stage(add_up, 2, Groups)]
    return Pipeline(Summer(markers=""), stages, batch_size, write, outcomes.append)


plans = st.lists(
    st.tuples(
        st.lists(st.integers(0, 5), max_size=5),  # windows that come at a time
        st.sampled_from(["end", "end", "fail", "retry"]),
        st.booleans(),  # are the last ones repeated?
    ),
    max_size=6,
)


@given(plans, st.integers(1, 5), st.randoms(use_true_random=False))
def test_every_source_gets_the_groups_of_its_own_rows(plan, batch_size, random) -> None:  # type: ignore[no-untyped-def]
    written: dict[str, Features] = {}
    outcomes: list[Outcome] = []
    ours = pipeline(batch_size, written, outcomes)
    todo = [
        (Source(f"{n}.mp4", str(n)), 100 * n, list(sizes), end, repeat) for n, (sizes, end, repeat) in enumerate(plan)
    ]
    expected: dict[str, list[float]] = {}
    rows: dict[str, list[float]] = {source.name: [] for source, *_ in todo}
    while todo:
        index = random.randrange(len(todo))
        source, first, sizes, end, repeat = todo[index]
        if sizes:
            number = sizes.pop(0)
            values = [float(first + len(rows[source.name]) + k) for k in range(number)]
            times = np.array([[value - first, value - first + 1] for value in values]).reshape(-1, 2)
            rows[source.name] += values
            metadata = {"repeat": np.array(True)} if repeat else {}
            ours.take(source, Windows(np.array(values).reshape(-1, 1), times, metadata))
        elif end == "retry":
            ours.take(source, Retried())
            rows[source.name] = []
            todo[index] = (source, first, [2, 3], "end", repeat)
            continue
        else:
            ours.take(source, Ended("truncated" if end == "fail" else ""))
            todo.pop(index)
            if end == "end":
                held = rows[source.name]
                if repeat and sum(1 for _ in held) % GROUP:
                    rest = held[len(held) // GROUP * GROUP :]
                    held = held[: len(held) // GROUP * GROUP] + (rest * GROUP)[:GROUP]
                groups = [held[k : k + GROUP] for k in range(0, len(held) // GROUP * GROUP, GROUP)]
                expected[source.name] = [2 * sum(group) for group in groups]
        while random.random() < 0.3 and ours.settle(more_to_come=True):
            pass
    while ours.settle(more_to_come=False):
        pass
    assert {name: features.arrays["sums"].tolist() for name, features in written.items()} == expected
    for name, features in written.items():
        assert features.times[:, 0].tolist() == [GROUP * k for k in range(len(expected[name]))]
    statuses = {outcome.source.name: outcome.status for outcome in outcomes}
    assert len(outcomes) == len(plan)
    for n, (_, end, _) in enumerate(plan):
        assert statuses[str(n)] == ("failed" if end == "fail" else "done" if expected[str(n)] else "empty")


def test_what_a_network_raises_is_not_caught() -> None:
    def broken(batch: np.ndarray):  # type: ignore[no-untyped-def]
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    ours = Pipeline(Doubler(markers=""), [Stage(broken, 1)], None, lambda features: "", lambda outcome: None)
    with pytest.raises(RuntimeError, match="CUDA error"):
        ours.take(Source("a.mp4", "a"), Windows(np.zeros((1, 2)), np.zeros((1, 2))))
