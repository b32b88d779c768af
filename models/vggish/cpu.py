"""VGGish on CPU cores: the same function with a third of the multiplications.

Each 3 x 3 convolution after the first is done by Winograd's F(4 x 4, 3 x 3) (Lavin & Gray 2015, arXiv:1509.09308):
a 6 x 6 tile of the input makes 4 x 4 outputs with 36 multiplications a channel pair instead of 144. The interpolation
points 0, +-5/8, +-5/4 keep rounding errors small (the usual 0, +-1, +-2 make a third more): embeddings are within 2e-6
of their scale, as those of the plain network are. All that is left are matrix products, with weights packed once by
oneDNN.

Each thread takes its share of a batch through the whole network: within a batch, cores don't wait for each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from torch_zoo.models.vggish.network import VGGish
from torch_zoo.utils import cpu
from torch_zoo.utils.devices import Precision

POINTS = (0.0, 0.625, -0.625, 1.25, -1.25)  # and infinity
OUTPUT, TILE = 4, 6  # outputs and inputs of a tile, along each side
TILES_AT_A_TIME = 96  # oneDNN packs weights for just this number; others can be fifty times slower
EXAMPLES_AT_A_TIME = 16  # that fill these tiles in the last convolutions
ROWS_HINT = 32  # for oneDNN's packing of the other products, whose layout serves any number

Stage = Callable[[Tensor], Tensor]


class CpuVGGish:
    """The function of `network` on `threads` cores: (N, 1, 96, 64) float32 -> (N, 128), when it is asked for.

    With `precision` bf16, inputs, weights and outputs of the fully connected layers are rounded to bfloat16. Products
    of such numbers are exact in float32, so a CPU without bf16 instructions computes the same in float32.
    """

    def __init__(self, network: VGGish, threads: int, precision: Precision = "fp32") -> None:
        cpu.warn_if_emulated(precision)
        dense_type = torch.bfloat16 if precision == "bf16" else torch.float32
        product_type = dense_type if cpu.is_native(precision) else torch.float32

        def rounded(values: Tensor) -> Tensor:
            return values.to(dense_type).to(product_type)

        def dense(layer: nn.Linear, relu: bool) -> Stage:
            product = _Product(rounded(layer.weight), rounded(layer.bias), relu)
            return lambda rows: rounded(product(rows))

        layers = list(network.features)
        builders: list[Callable[[], Stage]] = []
        for index, layer in enumerate(layers):
            if isinstance(layer, nn.Conv2d):
                pooled = isinstance(layers[index + 2], nn.MaxPool2d)
                builders.append(partial(_Winograd, layer, pooled) if builders else partial(_FirstStage, layer))
        builders.append(lambda: lambda maps: rounded(maps.flatten(1)))
        for layer, after in zip(network.embeddings[::2], network.embeddings[1::2], strict=True):
            assert isinstance(layer, nn.Linear)
            builders.append(partial(dense, layer, relu=isinstance(after, nn.ReLU)))
        self._threads = threads
        self._busy_seconds = 0.0
        self._pool = ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1))
        self._stages = list(self._pool.map(lambda build: build(), builders))

    def __call__(self, examples: np.ndarray) -> Callable[[], np.ndarray]:
        blocks = -(-len(examples) // (self._threads * EXAMPLES_AT_A_TIME))  # a part of one costs as much
        shares = torch.split(torch.from_numpy(examples), blocks * EXAMPLES_AT_A_TIME)
        in_flight = [self._pool.submit(self._compute, each) for each in shares]

        def wait() -> np.ndarray:
            outputs, seconds = zip(*(share.result() for share in in_flight), strict=True)
            self._busy_seconds += sum(seconds) / self._threads
            return np.concatenate(outputs)

        return wait

    def busy_seconds(self) -> float:
        """How long its cores have computed, so far."""
        return self._busy_seconds

    def _compute(self, examples: Tensor) -> tuple[np.ndarray, float]:
        """Embeddings, and the seconds they took."""
        began = time.monotonic()
        with torch.inference_mode():
            outputs = examples.permute(0, 2, 3, 1)  # channels last from here on
            for stage in self._stages:
                outputs = stage(outputs)
            return outputs.float().numpy(), time.monotonic() - began


class _Product:
    """(rows, n) -> (rows, m): x W^T + b, then an optional ReLU."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None, relu: bool = False) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS_HINT)
        self._bias = None if bias is None else bias.to(weight.dtype, copy=True)
        self._after = "relu" if relu else "none"

    def __call__(self, rows: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, self._after, [], "")
        return result


class _FirstStage:
    """Convolution of one channel, ReLU and pooling: (N, H, W, 1) -> (N, H/2, W/2, D).

    A 4 x 4 patch holds all that a pooling cell sees, so one product gives the cell's four values of all channels.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        shifted = layer.weight.new_zeros(2, 2, layer.out_channels, 4, 4)
        for row in range(2):
            for column in range(2):
                shifted[row, column, :, row : row + 3, column : column + 3] = layer.weight[:, 0]
        self._product = _Product(shifted.reshape(-1, 16))
        self._bias = _bias(layer)

    def __call__(self, maps: Tensor) -> Tensor:
        return torch.cat([self._convolve(one) for one in torch.split(maps, 1)])  # one at a time stays in the cache

    def _convolve(self, maps: Tensor) -> Tensor:
        patches = F.pad(maps[..., 0], (1, 1, 1, 1)).unfold(1, 4, 2).unfold(2, 4, 2)  # (N, H/2, W/2, 4, 4)
        cells = self._product(patches.reshape(-1, 16))
        return _pool(cells.view(len(cells), 4, -1), self._bias).view(*patches.shape[:3], -1)


class _Winograd:
    """Convolution, ReLU, and optional pooling: (N, H, W, C) -> (N, H, W, D) or (N, H/2, W/2, D)."""

    def __init__(self, layer: nn.Conv2d, pooled: bool) -> None:
        to_outputs, to_weights, to_tile = (torch.from_numpy(matrix) for matrix in transforms())
        self._inputs, self._outputs, self._bias = layer.in_channels, layer.out_channels, _bias(layer)
        weight = (torch.kron(to_weights, to_weights) @ layer.weight.double().reshape(-1, 9).T).float()  # (36, D * C)
        self._weight = _pack_grouped(weight.reshape(-1, self._inputs, 1, 1))
        self._to_tile = torch.kron(to_tile, to_tile).float()  # (36, 36)
        rows = torch.kron(to_outputs, to_outputs).float().view(2, 2, 2, 2, -1)  # cell row, row, cell column, column
        self._to_outputs = (rows.permute(1, 3, 0, 2, 4) if pooled else rows).reshape(OUTPUT * OUTPUT, -1)
        self._pooled = pooled

    def __call__(self, maps: Tensor) -> Tensor:
        number, height, width, _ = maps.shape
        at_a_time = TILES_AT_A_TIME // (height // OUTPUT * width // OUTPUT)
        whole = F.pad(maps, (0, 0, 0, 0, 0, 0, 0, -number % at_a_time))
        return torch.cat([self._convolve(few) for few in torch.split(whole, at_a_time)])[:number]

    def _convolve(self, maps: Tensor) -> Tensor:
        tiles = F.pad(maps, (0, 0, 1, 1, 1, 1)).unfold(1, TILE, OUTPUT).unfold(2, TILE, OUTPUT)
        number, down, across = tiles.shape[:3]  # (N, down, across, C, 6, 6)
        tiles = tiles.permute(0, 1, 2, 4, 5, 3).reshape(-1, TILE * TILE, self._inputs)
        products = self._multiply(torch.matmul(self._to_tile, tiles))
        values = torch.matmul(self._to_outputs, products)  # (tiles, 16, D)
        if self._pooled:
            values = _pool(values.view(len(values), 4, 4, -1), self._bias)
        else:
            values = values.add_(self._bias).relu_()
        side = 2 if self._pooled else OUTPUT
        values = values.view(number, down, across, side, side, self._outputs).transpose(2, 3)
        return values.reshape(number, down * side, across * side, self._outputs)

    def _multiply(self, tiles: Tensor) -> Tensor:
        """(tiles, 36, C) -> (tiles, 36, D), each of the 36 with weights of its own.

        As one grouped 1 x 1 convolution, which oneDNN does faster than 36 products.
        """
        maps = tiles.view(1, len(tiles), 1, -1).permute(0, 3, 1, 2)
        result = torch.ops.mkldnn._convolution_pointwise(
            maps, self._weight, None, [0, 0], [1, 1], [1, 1], TILE * TILE, "none", [], ""
        )
        return result.permute(0, 2, 3, 1).reshape(len(tiles), TILE * TILE, self._outputs)


def _pack_grouped(weight: Tensor) -> Tensor:
    """Weights (36 * D, C, 1, 1) of a grouped convolution, in the layout that suits TILES_AT_A_TIME positions."""
    shape = [1, TILE * TILE * weight.shape[1], TILES_AT_A_TIME, 1]
    pack = torch.ops.aten.mkldnn_reorder_conv2d_weight
    packed: Tensor = pack(weight.to_mkldnn(), [0, 0], [1, 1], [1, 1], TILE * TILE, shape)
    return packed


def _bias(layer: nn.Conv2d) -> Tensor:
    """A copy, so that a memory-mapped file of weights can go when the network goes."""
    assert layer.bias is not None
    return layer.bias.clone()


def _pool(cells: Tensor, bias: Tensor) -> Tensor:
    """ReLU of the largest of a pooling cell's four values and the bias: (n, 4, ..., D) -> (n, ..., D)."""
    a, b, c, d = torch.unbind(cells, 1)
    return torch.maximum(a, b).maximum(c).maximum(d).add_(bias).relu_()


def transforms() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices A^T (4, 6), G (6, 3) and B^T (6, 6) of F(4, 3): A^T [(G g) * (B^T d)] is the correlation of d with g.

    Toom-Cook: polynomials are evaluated at the points and interpolated again. Rows of G and B^T are scaled against each
    other by powers of two, which changes no product and evens out the magnitudes.
    """
    points = np.array(POINTS)
    powers = points[:, None] ** np.arange(TILE)
    infinity = np.eye(TILE)[-1]
    differences = np.array([np.prod(point - np.delete(points, index)) for index, point in enumerate(points)])
    to_outputs = np.vstack([powers[:, :OUTPUT], infinity[-OUTPUT:]]).T
    to_weights = np.vstack([powers[:, :3] / differences[:, None], infinity[-3:]])
    others = [np.poly(np.delete(points, index))[::-1] for index in range(len(points))]
    to_tile = np.vstack([*(np.append(row, 0.0) for row in others), np.poly(points)[::-1]])
    ratio = np.linalg.norm(to_weights, axis=1) / np.linalg.norm(to_tile, axis=1)
    scale = 2.0 ** np.round(np.log2(ratio) / 2)[:, None]
    return to_outputs, to_weights / scale, to_tile * scale
