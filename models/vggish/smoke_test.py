"""Smoke test of VGGish's weights and front end: a known sine, compared with all published figures.

    python -m torch_zoo.models.vggish.smoke_test                    # pretrained weights and PCA
    python -m torch_zoo.models.vggish.smoke_test --checkpoint my.pth --pca-params my.npz

There are three generations of Google's vggish_smoke_test.py. As there, each value must be within 10 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from torch_zoo.models.vggish import embed
from torch_zoo.models.vggish.extractor import Activation
from torch_zoo.models.vggish.postprocess import load_pca
from torch_zoo.models.vggish.weights import PCA_PARAMS
from torch_zoo.utils.downloads import resolve_file
from torch_zoo.utils.terminal.exit_codes import command

SECONDS, HERTZ = 3, 1000.0
TOLERANCE = 0.1  # relative


@dataclass(frozen=True, slots=True)
class Generation:
    """A published smoke test: its signal, its activation, and (mean, standard deviation) of the results."""

    years: str
    sample_rate: int  # Hz
    endpoint: bool  # whether the last sample is at 3 s, or one step before
    activation: Activation
    embedding: tuple[float, float]
    eight_bit: tuple[float, float]

    def sine(self) -> np.ndarray:
        """A 1 kHz sine of 3 s, (n,) float64."""
        time = np.linspace(0.0, SECONDS, SECONDS * self.sample_rate, endpoint=self.endpoint)
        return np.sin(2 * np.pi * HERTZ * time)


GENERATIONS = (
    Generation("2017 - Aug 2020", 44_100, True, "relu", (0.131, 0.238), (123.0, 75.0)),
    Generation("Aug 2020 - Jul 2023", 44_100, True, "none", (-0.0333, 0.380), (122.0, 93.5)),
    Generation("since Jul 2023", 16_000, False, "none", (0.000657, 0.343), (126.0, 89.3)),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A published value and ours."""

    years: str
    what: str
    published: float
    ours: float

    @property
    def agrees(self) -> bool:
        return abs(self.ours - self.published) <= TOLERANCE * abs(self.published)


def compare(checkpoint: str, pca_file: Path | None, seed: int = 0) -> Iterator[Comparison]:
    """Run all generations; without `pca_file`, only the embeddings. Raises UsageError without weights."""
    pca = load_pca(pca_file) if pca_file else None
    for generation in GENERATIONS:
        embeddings = embed(
            generation.sine(),
            generation.sample_rate,
            pooling=None,
            normalize=False,
            activation=generation.activation,
            checkpoint=checkpoint,
            seed=seed,
            device="cpu",
        )
        outcomes = [("embedding", embeddings, generation.embedding)]
        if pca:
            outcomes.append(("8-bit", pca.apply(embeddings, "pca_8bit"), generation.eight_bit))
        for what, rows, (mean, deviation) in outcomes:
            yield Comparison(generation.years, f"{what}, mean", mean, float(rows.mean(dtype=np.float64)))
            yield Comparison(generation.years, f"{what}, deviation", deviation, float(rows.std(dtype=np.float64)))


@command(interrupted="nothing was compared")
def main(arguments: Sequence[str]) -> int:
    """Prints the table and a verdict; 0 if all numbers agree (or are random anyway), 1 if not, 2 without weights."""
    parser = argparse.ArgumentParser(
        description="Run a known sine through VGGish and compare with the figures of Google's three smoke tests."
    )
    parser.add_argument("--checkpoint", default="pretrained", help="pretrained, a path, or random (proves nothing)")
    parser.add_argument("--pca-params", default="pretrained", help="pretrained, or a path to .npz or .pth")
    given = parser.parse_args(arguments)
    random = given.checkpoint == "random"
    pca_file = None if random else resolve_file(given.pca_params, PCA_PARAMS, "--pca-params")
    results = list(compare(given.checkpoint, pca_file))
    print(f"{'smoke test of':<22}{'number':<24}{'published':>10}{'here':>12}")
    for each in results:
        mark = "" if random else "  ok" if each.agrees else "  differs"
        print(f"{each.years:<22}{each.what:<24}{each.published:>10.6g}{each.ours:>12.6g}{mark}")
    wrong = sum(not each.agrees for each in results)
    if random:
        print("RANDOM weights: the front end and the network run, but this proves nothing about values.")
        return 0
    if wrong:
        print(
            f"FAILED: {wrong} of {len(results)} values are off by more than 10 %; the weights or the front end differ."
        )
        return 1
    print(f"PASSED: all {len(results)} values are within 10 % of the published ones. These are VGGish's weights.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
