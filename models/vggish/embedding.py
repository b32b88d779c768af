"""Embeddings for Python and notebooks: files or waveforms in, one array out, in this process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias, cast, overload

import numpy as np
from tqdm import tqdm

from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.postprocess import WIDTH, Pooling, Postprocess
from torch_zoo.utils import options
from torch_zoo.utils.checkpoints import Checkpoint
from torch_zoo.utils.devices import DeviceKind, cpu_cores, devices
from torch_zoo.utils.engines.inline import Inline
from torch_zoo.utils.sources import media_files
from torch_zoo.utils.types import MediaError, Source, Stage, UsageError, Windows

Medium: TypeAlias = "str | os.PathLike[str] | np.ndarray"  # a file or a waveform; tensors are waveforms as well

PUBLISHED = ("pretrained", "demo")  # these weights don't change


@overload
def embed(media: Medium, sample_rate: int | None = None, **options: Any) -> np.ndarray: ...


@overload
def embed(media: Iterable[Medium], sample_rate: int | None = None, **options: Any) -> np.ndarray | list[np.ndarray]: ...


def embed(
    media: Medium | Iterable[Medium],
    sample_rate: int | None = None,
    *,
    pooling: Pooling | None = "mean",
    normalize: bool = True,
    postprocess: Postprocess = "none",
    device: DeviceKind = "auto",
    progress: bool = True,
    **others: Any,
) -> np.ndarray | list[np.ndarray]:
    """VGGish embeddings of a file or waveform, or of many.

    Args:
        media: a path (anything FFmpeg can read), or a waveform (samples,) or (channels, samples), integers or floats in
            [-1, 1]; or a list of these; or a folder, which stands for the list of the media files in it, sorted.
        sample_rate: of waveforms, Hz.
        pooling: `mean`, `sum` or `max` over time; None leaves a row for each 0.96 s.
        normalize: divide each row by its Euclidean length.
        postprocess: `none`, `pca`, `pca_8bit`, `pca_8bit_rounded`.
        device: `auto`, `cpu` or `cuda`.
        progress: show a bar over a list.
        **others: further options of feature_type=vggish, e.g. checkpoint, activation, hop_seconds (but no preset).

    Returns:
        Of one medium (128,), or (T, 128) with pooling=None. Of a list (n, 128), or a list of (T, 128) with
        pooling=None; what can't be read or is shorter than a window is then warned of, and its row is NaN, or (0, 128).

    Raises:
        UsageError: an option or the weights are wrong.
        MediaError: the one medium can't be read or, with pooling, is shorter than a window.
    """
    if isinstance(media, str | os.PathLike) and os.path.isdir(media):
        media = media_files(os.fspath(media)) or media
    extractor = extractor_of(pooling=pooling, normalize=normalize, postprocess=postprocess, **others)
    [device_name, *_] = devices(device, None)
    if _is_one(media):
        [result] = _embeddings(extractor, [cast("Medium", media)], sample_rate, device_name, bar=False)
        if isinstance(result, MediaError):
            raise result
        return result[0] if pooling else result

    results = []
    for result in _embeddings(extractor, list(cast("Iterable[Medium]", media)), sample_rate, device_name, bar=progress):
        if isinstance(result, MediaError):
            warnings.warn(str(result), stacklevel=2)
            result = np.full((1, WIDTH), np.nan, np.float32) if pooling else np.zeros(0, extractor.arrays[KEY])
        results.append(result)
    return np.concatenate([np.zeros((0, WIDTH), np.float32), *results]) if pooling else results


def extractor_of(**given: Any) -> VGGishExtractor:
    """The extractor with these of its options. Raises TypeError for an unknown one, UsageError for a wrong value."""
    if unknown := sorted(set(given) - set(options.fields(VGGishExtractor))):
        raise TypeError(f"feature_type=vggish has no option {unknown[0]}")
    return options.build(VGGishExtractor, given)


def _embeddings(
    extractor: VGGishExtractor, media: Sequence[Medium], sample_rate: int | None, device: str, bar: bool
) -> list[np.ndarray | MediaError]:
    """Of each medium its rows, or what is wrong with it. While a batch is computed, the next one is decoded."""
    extractor.pca  # noqa: B018 - read now: a wrong file is no reason to have worked for nothing
    base = VGGishExtractor(
        checkpoint=extractor.checkpoint,
        seed=extractor.seed,
        precision=extractor.precision,
        activation=extractor.activation,
    )
    stages = _stages(base, None if extractor.checkpoint in PUBLISHED else base.weights, device)
    engine = Inline(extractor, stages)
    sources = [replace(_source(medium), name=str(number)) for number, medium in enumerate(media)]
    if len(media) > 1 and all(isinstance(medium, str | os.PathLike) for medium in media):
        outcomes = engine.decode(sources)
    else:
        outcomes = engine.run(sources, lambda source: windows_of(extractor, media[int(source.name)], sample_rate))

    results: dict[int, np.ndarray | MediaError] = {}
    for outcome, features in tqdm(outcomes, total=len(sources), unit="file", disable=not bar):
        if features is None or (extractor.pooling and outcome.status == "empty"):
            result: np.ndarray | MediaError = MediaError(f"{outcome.source.path}: {outcome.message}")
        else:
            result = features.arrays[KEY]
        results[int(outcome.source.name)] = result
    return [results[number] for number in range(len(media))]


def windows_of(extractor: VGGishExtractor, medium: Medium, sample_rate: int | None) -> Iterator[Windows]:
    """The windows of a file or waveform, lazily. Raises UsageError for what is neither, MediaError as they are read."""
    if isinstance(medium, str | os.PathLike):
        return extractor.windows(_source(medium))
    if sample_rate is None:
        raise UsageError("a waveform needs its sample_rate, in Hz")
    tensor: Any = medium
    channels = np.atleast_2d(np.asarray(tensor.detach().cpu() if _is_tensor(medium) else medium))
    if channels.ndim > 2 or channels.shape[0] > channels.shape[1] or channels.dtype.kind not in "if":
        raise UsageError(
            "a waveform is (samples,) or (channels, samples), signed integers or floats, "
            f"not {channels.shape} {channels.dtype}"
        )
    full_scale = -float(np.iinfo(channels.dtype).min) if channels.dtype.kind == "i" else 1.0
    return extractor.windows_of([channels.mean(axis=0, dtype=np.float64) / full_scale], sample_rate)


def _is_one(media: Any) -> bool:
    """A path or a waveform; else it is an iterable of these."""
    if isinstance(media, str | os.PathLike) or _is_tensor(media):
        return True
    return isinstance(media, np.ndarray) and media.dtype.kind not in "OUST"


def _is_tensor(medium: Any) -> bool:
    return type(medium).__module__.split(".")[0] == "torch"


def _source(medium: Medium) -> Source:
    path = os.fspath(medium) if isinstance(medium, str | os.PathLike) else "the waveform"
    return Source(path, path)


@lru_cache(maxsize=2)
def _stages(extractor: VGGishExtractor, weights: Checkpoint | None, device: str) -> list[Stage]:
    """Stay loaded from one call to the next, unless the file of weights has changed."""
    import torch

    threads = torch.get_num_threads()
    stages = extractor.load(device, cpu_cores())
    torch.set_num_threads(threads)  # loading shares the cores out as a worker process wants them
    return stages
