"""What VGGish hears, as a PNG: the waveform, its log-mel spectrogram and the embedding of each window.

python -m torch_zoo.models.vggish.picture sample/speech.mp4 vggish.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from torch_zoo.models.vggish.embedding import embed, extractor_of, windows_of
from torch_zoo.models.vggish.logmel import BANDS, EXAMPLE_SECONDS
from torch_zoo.models.vggish.postprocess import WIDTH
from torch_zoo.utils import storage
from torch_zoo.utils.extras import require
from torch_zoo.utils.media.audio import mono, open_audio
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import MediaError, Source, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # of waveforms, in turn
TICKS_SECONDS = 2


@dataclass(frozen=True, eq=False)
class Heard:
    """A clip at each step of VGGish; the incomplete last window is in the waveform only."""

    name: str
    samples: np.ndarray  # (n,) mean of the channels, in [-1, 1]
    rate: int  # Hz
    log_mel: np.ndarray  # (64, 96 T), natural log
    embedding: np.ndarray  # (T, 128)

    @property
    def seconds(self) -> float:
        return len(self.embedding) * EXAMPLE_SECONDS


def hear(path: str, **options: Any) -> Heard:
    """Decode a clip and compute what is drawn of it.

    Options are those of the extractor that leave one row per 0.96 s, e.g. checkpoint, activation. Raises MediaError for
    a clip that can't be read or is shorter than one window, UsageError for a wrong option.
    """
    with open_audio(Source(path, path)) as audio:
        samples, rate = np.concatenate(list(mono(audio.blocks))), audio.rate
    windows = [each.data for each in windows_of(extractor_of(**options), samples, rate)]
    if not windows:
        raise MediaError(f"{path}: shorter than one window of {EXAMPLE_SECONDS} s")
    embedding = embed(samples, rate, pooling=None, normalize=False, **options)
    return Heard(PurePath(path).stem, samples, rate, np.concatenate(windows).reshape(-1, BANDS).T, embedding)


def draw(clips: Sequence[Heard]) -> Figure:
    """A column per clip; its three rows share their axis of time."""
    from matplotlib.figure import Figure

    largest = np.percentile(np.concatenate([clip.embedding for clip in clips]), 99)
    figure = Figure(figsize=(12, 6.5), dpi=90, layout="constrained")
    axes: np.ndarray = figure.subplots(
        3,
        len(clips),
        sharex="col",
        sharey="row",
        squeeze=False,
        width_ratios=[clip.seconds for clip in clips],
        height_ratios=[2, 3, 4],
    )
    for number, clip in enumerate(clips):
        wave, mel, embedding = axes[:, number]
        _waveform(wave, clip, COLORS[number % len(COLORS)])
        over_time = {"aspect": "auto", "interpolation": "none"}
        bands = mel.imshow(clip.log_mel, origin="lower", extent=(0, clip.seconds, 0, BANDS), cmap="magma", **over_time)
        numbers = embedding.imshow(
            clip.embedding.T, extent=(0, clip.seconds, WIDTH, 0), cmap="viridis", vmax=largest, **over_time
        )
        embedding.set(xlabel="time, s", xticks=np.arange(0, clip.seconds, TICKS_SECONDS))
    for row, label, ticks in zip(axes[1:, 0], ("log-mel band", "embedding"), (BANDS // 4, WIDTH // 4), strict=True):
        row.set(ylabel=label, yticks=range(0, 4 * ticks + 1, ticks))
    axes[0, 0].set(ylabel="waveform")
    figure.align_ylabels(axes[:, 0])
    figure.colorbar(bands, ax=axes[1], pad=0.01)
    figure.colorbar(numbers, ax=axes[2], pad=0.01)
    return figure


def _waveform(axes: Axes, clip: Heard, color: str) -> None:
    axes.plot(np.arange(len(clip.samples)) / clip.rate, clip.samples, color=color, linewidth=0.3)
    axes.set(title=clip.name, xlim=(0, clip.seconds), ylim=(-1, 1))
    axes.spines[["top", "right"]].set_visible(False)


@command(interrupted="no picture was written")
def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m torch_zoo.models.vggish.picture", description="What VGGish hears, as a PNG."
    )
    parser.add_argument("clips", nargs="+", help="anything with sound that FFmpeg can read")
    parser.add_argument("picture", help="the .png to write")
    parser.add_argument("--checkpoint", default="pretrained", help="pretrained (default), random, demo, or a path")
    options = parser.parse_args(arguments)
    if not options.picture.lower().endswith(".png"):
        raise UsageError(f"{options.picture}: the last argument is the .png to write")
    require("report", "matplotlib")
    figure = draw([hear(path, checkpoint=options.checkpoint) for path in options.clips])
    try:
        with storage.atomic_write(options.picture) as file:
            figure.savefig(file, format="png", pil_kwargs={"optimize": True})
    except OSError as error:
        raise UsageError(f"{options.picture}: cannot be written ({storage.reason(error)})") from error
    print(f"the picture is in {options.picture}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
