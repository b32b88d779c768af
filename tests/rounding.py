"""How far float32 may lie from a float64 run of the same network: a share of the largest value.

CPUs sum in different orders, so none of them gives the exact value. Both our outputs and the golden numbers, which
are float32 themselves, must lie within these bounds of float64. In parentheses the largest error that was measured
with AVX-512, AVX2 and SSE4.1; bounds are at most 1.5 times that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

VGGISH = 3e-6  # (2.0e-6)
I3D = 1.6e-6  # (1.1e-6)
RAFT = 5e-6  # (3.6e-6, after one update)
PWC = 7e-6  # (4.8e-6)
VGGSOUND = 8.8e-7  # (5.9e-7)


@contextmanager
def in_float64() -> Iterator[None]:
    """Networks of float64 weights stay in float64 where they ask for float32."""
    import torch

    with patch.object(torch.Tensor, "float", torch.Tensor.double):
        yield


def error(values: np.ndarray, exact: np.ndarray) -> float:
    """The largest difference, as a share of the largest exact value."""
    assert values.shape == exact.shape
    return float(np.abs(np.asarray(values, np.float64) - exact).max() / np.abs(exact).max())
