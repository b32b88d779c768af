"""The classifiers that can be trained: VGGSound's ResNets, and VGGish with a head, each with its front end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch_zoo.models.vggish import logmel
from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.models.vggsound.extractor import MARGIN_SECONDS, VGGSoundExtractor
from torch_zoo.models.vggsound.layers import Pooling
from torch_zoo.models.vggsound.spectrogram import BINS, SAMPLE_RATE, num_segments
from torch_zoo.utils.training.reading import FrontEnd
from torch_zoo.utils.types import UsageError

if TYPE_CHECKING:
    from torch_zoo.models.vggsound.clip_logits import ClipLogits

Trunk = Literal["resnet18", "resnet34", "resnet50", "vggish"]


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """Raises UsageError if an option is out of range."""

    model: Trunk
    pooling: Pooling
    window_seconds: float
    checkpoint: str  # to start from: random, pretrained or a path
    seed: int

    def __post_init__(self) -> None:
        self.extractor  # noqa: B018 - it checks what it is given
        if self.model == "vggish" and self.window_seconds < logmel.EXAMPLE_SECONDS:
            raise UsageError(f"--window-seconds {self.window_seconds:g}: VGGish needs {logmel.EXAMPLE_SECONDS} or more")

    @property
    def extractor(self) -> VGGishExtractor | VGGSoundExtractor:
        if self.model == "vggish":
            return VGGishExtractor(checkpoint=self.checkpoint, seed=self.seed)
        return VGGSoundExtractor(
            checkpoint=self.checkpoint,
            seed=self.seed,
            model=self.model,
            pooling=self.pooling,
            window_seconds=self.window_seconds,
        )

    @property
    def front_end(self) -> FrontEnd:
        """Of a clip: its spectrogram (1, 257, T) or, for VGGish, as many log-mel windows (n, 1, 96, 64) as fit."""
        extractor = self.extractor
        settings = {"window_seconds": self.window_seconds, "resampler": extractor.resampler, "type": "float16"}
        if isinstance(extractor, VGGishExtractor):
            windows = int(self.window_seconds / logmel.EXAMPLE_SECONDS)
            shape: tuple[int, ...] = (windows, 1, logmel.EXAMPLE_FRAMES, logmel.BANDS)
        else:
            shape = (1, BINS, num_segments(round(self.window_seconds * SAMPLE_RATE)))
        return FrontEnd(
            extractor=extractor,
            shape=shape,
            seconds=self.window_seconds + MARGIN_SECONDS,
            settings={"front_end": type(extractor).__name__, **settings},
        )

    def network(self, classes: Sequence[str]) -> ClipLogits:
        """With the weights to start from, on the CPU. Raises UsageError if they don't fit."""
        import torch

        from torch_zoo.models.vggish.classifier import Classifier
        from torch_zoo.models.vggsound.clip_logits import OfSpectrograms, OfWindows
        from torch_zoo.models.vggsound.initialization import initialize
        from torch_zoo.models.vggsound.network import VGGSound

        torch.manual_seed(self.seed)
        extractor = self.extractor
        if isinstance(extractor, VGGishExtractor):
            return OfWindows(Classifier.start(extractor.weights, classes, self.seed).requires_grad_(True).train())
        if self.checkpoint == "random":
            return OfSpectrograms(initialize(VGGSound(extractor.model, self.pooling, len(classes))))
        network = VGGSound.with_weights(extractor.weights, extractor.model, self.pooling, len(classes))
        return OfSpectrograms(network.requires_grad_(True).train())
