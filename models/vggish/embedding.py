"""Embeddings from Python and notebooks: files or waveforms in, one array out, in this process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast, overload

import numpy as np
from tqdm import tqdm

from torch_zoo.models.vggish.extractor import KEY, VGGishExtractor
from torch_zoo.models.vggish.postprocess import WIDTH, Pooling, Postprocess
from torch_zoo.utils import options
from torch_zoo.utils.composition import device_name
from torch_zoo.utils.engines.inline import Inline
from torch_zoo.utils.expansion import media_files
from torch_zoo.utils.extraction import loaded
from torch_zoo.utils.types import MediaError, Source, UsageError, Windows

Medium: TypeAlias = "str | os.PathLike[str] | np.ndarray"  # a file or a waveform; a waveform may also be a tensor

PUBLISHED = ("pretrained", "demo")  # checkpoints whose weights don't change


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
    device: str = "auto",
    progress: bool = True,
    **others: Any,
) -> np.ndarray | list[np.ndarray]:
    """Compute VGGish embeddings of one or several files or waveforms.

    Args:
        media: a path (anything FFmpeg can read); a waveform (samples,) or (channels, samples), integers or floats in
            [-1, 1]; a list of these; or a folder, which stands for the sorted list of the media files in it.
        sample_rate: sampling rate of the waveforms, Hz.
        pooling: `mean`, `sum` or `max` over time; None for one row per 0.96 s.
        normalize: L2-normalize each row.
        postprocess: `none`, `pca`, `pca_8bit`, `pca_8bit_rounded`.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        progress: show a progress bar for a list.
        **others: further options of feature_type=vggish, e.g. checkpoint, activation, hop_seconds (but not preset).

    Returns:
        For one file or waveform, (128,), or (T, 128) with pooling=None. For a list, (n, 128), or a list of (T, 128)
        with pooling=None; if an item can't be read or is shorter than one window, a warning is issued, and its row is
        NaN, or its array (0, 128).

    Raises:
        UsageError: an option or a checkpoint is wrong.
        MediaError: the only file can't be read or, with pooling, is shorter than one window.
    """
    if isinstance(media, str | os.PathLike) and os.path.isdir(media):
        media = media_files(os.fspath(media)) or media
    extractor = extractor_of(pooling=pooling, normalize=normalize, postprocess=postprocess, **others)
    place = device_name(device)
    if _is_one(media):
        [result] = _embeddings(extractor, [cast("Medium", media)], sample_rate, place, bar=False)
        if isinstance(result, MediaError):
            raise result
        return result[0] if pooling else result

    results = []
    for result in _embeddings(extractor, list(cast("Iterable[Medium]", media)), sample_rate, place, bar=progress):
        if isinstance(result, MediaError):
            warnings.warn(str(result), stacklevel=2)
            result = np.full((1, WIDTH), np.nan, np.float32) if pooling else np.zeros(0, extractor.arrays[KEY])
        results.append(result)
    return np.concatenate([np.zeros((0, WIDTH), np.float32), *results]) if pooling else results


def extractor_of(**given: Any) -> VGGishExtractor:
    """An extractor with these options. Raises TypeError for an unknown option, UsageError for an invalid value."""
    if unknown := sorted(set(given) - set(options.fields(VGGishExtractor))):
        raise TypeError(f"feature_type=vggish has no option {unknown[0]}")
    return options.build(VGGishExtractor, given)


def _embeddings(
    extractor: VGGishExtractor, media: Sequence[Medium], sample_rate: int | None, device: str, bar: bool
) -> list[np.ndarray | MediaError]:
    """The rows of each item, or its error. The next batch is decoded while one is computed."""
    extractor.pca  # noqa: B018 - read now, so that a wrong file fails before any work is done
    base = VGGishExtractor(
        checkpoint=extractor.checkpoint,
        seed=extractor.seed,
        precision=extractor.precision,
        activation=extractor.activation,
    )
    engine = Inline(extractor, loaded(base, device, "" if extractor.checkpoint in PUBLISHED else base.weights))
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
    """The windows of a file or waveform, lazily. Raises UsageError if it is neither, MediaError while reading."""
    if isinstance(medium, str | os.PathLike):
        return extractor.windows(_source(medium))
    if sample_rate is None:
        raise UsageError("a waveform needs its sample_rate, in Hz")
    tensor: Any = medium
    channels = np.atleast_2d(np.asarray(tensor.detach().cpu() if _is_tensor(medium) else medium))
    if channels.ndim > 2 or channels.shape[0] > channels.shape[1] or channels.dtype.kind not in "if":
        raise UsageError(
            "a waveform must be (samples,) or (channels, samples), signed integers or floats, "
            f"not {channels.shape} {channels.dtype}"
        )
    full_scale = -float(np.iinfo(channels.dtype).min) if channels.dtype.kind == "i" else 1.0
    return extractor.windows_of([channels.mean(axis=0, dtype=np.float64) / full_scale], sample_rate)


def _is_one(media: Any) -> bool:
    """Whether `media` is one path or waveform, not an iterable of these."""
    if isinstance(media, str | os.PathLike) or _is_tensor(media):
        return True
    return isinstance(media, np.ndarray) and media.dtype.kind not in "OUST"


def _is_tensor(medium: Any) -> bool:
    return type(medium).__module__.split(".")[0] == "torch"


def _source(medium: Medium) -> Source:
    path = os.fspath(medium) if isinstance(medium, str | os.PathLike) else "the waveform"
    return Source(path, path)
