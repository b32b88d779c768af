"""Statistics of the features of a source: what shows at a glance that a network, or its weights, went wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def statistics(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Of each array (T, D) of numbers, by name; others, such as times of rows, have none.

    `rows` and `values` count, `sum` and `squares` add up the values and their squares, `zeros` are values that are 0,
    `norm` is the mean L2 norm of the rows, and `constant` is 1 if there are several rows and all are the same.
    """
    return {
        name: _statistics(array)
        for name, array in arrays.items()
        if array.ndim == 2 and array.size and array.dtype.kind in "fiu"
    }


def _statistics(array: np.ndarray) -> dict[str, float]:
    values = array.astype(np.float64)
    squares = np.einsum("td,td->t", values, values)  # of each row
    return {
        "rows": len(values),
        "values": values.size,
        "sum": float(values.sum()),
        "squares": float(squares.sum()),
        "zeros": values.size - int(np.count_nonzero(values)),
        "norm": float(np.sqrt(squares).mean()),
        "constant": int(len(values) > 1 and bool((array[1:] == array[0]).all())),
    }
