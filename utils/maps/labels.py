"""Places for labels that do not overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RINGS = 12  # of places around a point, each farther away
PLACES = 16  # per ring
GAP = 4.0  # px, from the point to a label beside it


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, px."""

    left: float
    bottom: float
    width: float
    height: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.bottom < other.bottom + other.height
            and other.bottom < self.bottom + self.height
        )

    def is_within(self, other: Box) -> bool:
        return (
            other.left <= self.left
            and other.bottom <= self.bottom
            and self.left + self.width <= other.left + other.width
            and self.bottom + self.height <= other.bottom + other.height
        )

    def distance(self, x: float, y: float) -> float:
        """From a point to the nearest one of the box, px."""
        across = max(self.left - x, 0, x - self.left - self.width)
        return float(np.hypot(across, max(self.bottom - y, 0, y - self.bottom - self.height)))


def place(anchors: np.ndarray, sizes: Sequence[tuple[float, float]], area: Box, gap: float = GAP) -> list[Box | None]:
    """For each label its box in the area, near its anchor (n, 2), the first ones nearest; None if there is no room.

    Greedy: each takes the nearest free place in rings around its anchor, beginning above it.
    """
    placed: list[Box] = []
    found: list[Box | None] = []
    for (x, y), (width, height) in zip(anchors.tolist(), sizes, strict=True):
        places = _around(x, y, width, height, gap)
        box = next((each for each in places if each.is_within(area) and not any(map(each.overlaps, placed))), None)
        found.append(box)
        placed += [box] if box else []
    return found


def _around(x: float, y: float, width: float, height: float, gap: float) -> Iterator[Box]:
    """Boxes whose edges lie `gap` from the anchor, then farther by their height each time."""
    for ring in range(RINGS):
        reach = gap + ring * height
        for angle in np.pi / 2 + 2 * np.pi * np.arange(PLACES) / PLACES:
            across, up = np.cos(angle), np.sin(angle)
            yield Box(
                x + across * (reach + width / 2) - width / 2, y + up * (reach + height / 2) - height / 2, width, height
            )
