"""Colors of flow, and the wheel that explains them.

The color wheel is that of Baker et al. (IJCV 2011), torchvision.utils.flow_to_image, on one scale for a whole video.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WHEEL_PART = 8  # the wheel's radius is the smaller edge divided by this
MARGIN = 6  # px
TEXT_SCALE = 0.4  # of OpenCV's font: capitals of 9 px
INK = (40, 40, 40)
PAPER = (255, 255, 255)


@dataclass(frozen=True)
class Palette:
    """The mapping from flow to colors: white for no motion, fully saturated at `longest` px or more."""

    longest: float

    def colors(self, flow: np.ndarray) -> np.ndarray:
        """(2, H, W) px -> (H, W, 3) uint8.

        flow_to_image normalizes by the longest vector in its input; an extra row fixes that length at `longest`.
        """
        import torch
        from torchvision.utils import flow_to_image

        reach = self.longest * (1 - 1e-6)  # rounding must not make any vector longer than the one in the extra row
        shortened = flow * (reach / np.maximum(np.hypot(*flow), reach))
        reference = np.zeros_like(flow[:, :1])
        reference[0] = self.longest
        rows = np.concatenate([shortened, reference], axis=1, dtype=np.float32)
        image: np.ndarray = flow_to_image(torch.from_numpy(rows))[:, :-1].permute(1, 2, 0).contiguous().numpy()
        return image

    def wheel(self, radius: int) -> tuple[np.ndarray, np.ndarray]:
        """A color wheel (2r + 1, 2r + 1, 3) and the mask of the pixels inside it."""
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        vectors = np.stack([x, y]) * (self.longest / radius)
        return self.colors(vectors), np.hypot(x, y) <= radius

    @property
    def caption(self) -> str:
        """The length at the wheel's rim."""
        return f"{self.longest:.3g} px"


def draw_legend(image: np.ndarray, palette: Palette) -> None:
    """The wheel in the lower right corner of (H, W, 3) uint8, and to its left the length at its rim, in place."""
    import cv2

    wheel, inside = palette.wheel(min(image.shape[:2]) // WHEEL_PART)
    corner = image[-len(wheel) - MARGIN : -MARGIN, -len(wheel) - MARGIN : -MARGIN]
    corner[inside] = wheel[inside]
    (width, height), _ = cv2.getTextSize(palette.caption, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, 1)
    right = image.shape[1] - len(wheel) - 2 * MARGIN
    place = (right - width, image.shape[0] - MARGIN - (len(wheel) - height) // 2)
    for color, thickness in ((PAPER, 4), (INK, 1)):
        cv2.putText(image, palette.caption, place, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, color, thickness, cv2.LINE_AA)
