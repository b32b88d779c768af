"""Features of any extractor from Python: media in, arrays out, in this process."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from threading import Lock
from types import TracebackType
from typing import Any, TypeAlias, overload

from tqdm import tqdm

from torch_zoo.utils import naming, types
from torch_zoo.utils.composition import Composition, compose
from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.engines.inline import Inline, Results, load
from torch_zoo.utils.engines.shared_server import shared_server
from torch_zoo.utils.expansion import expand
from torch_zoo.utils.extracted import Extracted
from torch_zoo.utils.terminal.catalogue import CONFIGS, Catalogue
from torch_zoo.utils.types import Features, MediaError, Outcome, Source, Stage, UsageError

Medium: TypeAlias = "str | os.PathLike[str] | Source"  # a path, a URL, or a segment of a file

KEPT = 2  # extractors whose networks stay loaded between calls of `extract`


class Extractor:
    """An extractor whose networks stay loaded until it is closed. Several threads may call it.

        with Extractor(feature_type="vggish", device="cuda:0") as extractor:
            extractor("clip.mp4")["vggish"]  # (T, 128)

    Args:
        feature_type: as on the command line; `config_dir` is the folder with the configs of one of your own.
        device: `auto`, `cpu`, `cuda` (the first one) or `cuda:N`.
        **options: those of the extractor, `preset`, `batch_size`, `num_decoders`, `timeout`,
            `decoder_memory` and `allow_protocols`.

    Raises UsageError for a wrong option or checkpoint.
    """

    def __init__(
        self,
        feature_type: str,
        *,
        device: str = "auto",
        config_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        composition = _composed(feature_type, device, config_dir, options)
        shared_server()  # starts while the networks are loaded
        self._inline: Inline | None = _inline(composition, load(composition.extractor, composition.device, cpu_cores()))

    @overload
    def __call__(self, media: Source, *, progress: bool = True) -> Extracted: ...

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a string is no iterable of media
        self, media: str | os.PathLike[str], *, progress: bool = True
    ) -> Extracted | Any: ...

    @overload
    def __call__(self, media: Iterable[Medium], *, progress: bool = True) -> Iterator[Extracted]: ...

    def __call__(self, media: Medium | Iterable[Medium], *, progress: bool = True) -> Extracted | Iterator[Extracted]:
        """As `extract`."""
        if self._inline is None:
            raise UsageError("this Extractor is closed; make another")
        return _extract(self._inline, _named(media), progress)

    def close(self) -> None:
        """Let go of the networks."""
        self._inline = None

    def __enter__(self) -> Extractor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@overload
def extract(media: Source, *, feature_type: str, **options: Any) -> Extracted: ...


@overload
def extract(media: str | os.PathLike[str], *, feature_type: str, **options: Any) -> Extracted | Any: ...


@overload
def extract(media: Iterable[Medium], *, feature_type: str, **options: Any) -> Iterator[Extracted]: ...


def extract(
    media: Medium | Iterable[Medium],
    *,
    feature_type: str,
    device: str = "auto",
    config_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **options: Any,
) -> Extracted | Iterator[Extracted]:
    """Features of one or several media, by any extractor.

    Args:
        media: a path or URL, or a Source, which may be a segment of a file; or several: a list of these, a folder
            (the media at any depth, sorted) or a pattern such as `clips/*.mp4`.
        feature_type: as for `Extractor`, and so are `device`, `config_dir` and `options`. The networks of the last
            calls stay loaded.
        progress: show a progress bar for several media.

    Returns:
        For one medium, its arrays. For several, an iterator over those of each, in order; of a source that can't be
        read, the item has an `error`. An array has no rows where the source is shorter than one window.

    Raises:
        UsageError: an option or a checkpoint is wrong.
        MediaError: the only medium can't be read.
        WorkerError: decoder processes keep ending.
    """
    composition, named = _composed(feature_type, device, config_dir, options), _named(media)
    shared_server()  # starts while the networks are loaded
    return _extract(_inline(composition, loaded(composition.extractor, composition.device)), named, progress)


_loaded: OrderedDict[str, Sequence[Stage]] = OrderedDict()
_loading = Lock()


def loaded(extractor: types.Extractor, device: str, identity: object = None) -> Sequence[Stage]:
    """The stages of an extractor, of which the last few are kept.

    They are loaded again when the identity of its weights changes, by default all that its values depend on.
    """
    key = f"{device} {extractor!r} {dict(extractor.settings) if identity is None else identity}"
    with _loading:
        if key not in _loaded:
            _loaded[key] = load(extractor, device, cpu_cores())
        _loaded.move_to_end(key)
        while len(_loaded) > KEPT:
            _loaded.popitem(last=False)
        return _loaded[key]


def _composed(
    feature_type: str, device: str, config_dir: str | os.PathLike[str] | None, options: Mapping[str, Any]
) -> Composition:
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UsageError(f"config_dir={os.fspath(config_dir)}: no such folder")
    folders = (CONFIGS,) if config_dir is None else (CONFIGS, Path(config_dir))
    return compose(feature_type, {"device": device, **options}, Catalogue(folders))


def _inline(composition: Composition, stages: Sequence[Stage]) -> Inline:
    workers = composition.workers
    decoders = workers.decoders(composition.device, cpu_cores())
    return Inline(composition.extractor, stages, decoders, workers.batch_size)


@dataclass(frozen=True)
class _Named:
    """What the caller names."""

    sources: Sequence[Source]
    one: bool  # not a list, a folder or a pattern


def _named(media: Any) -> _Named:
    if isinstance(media, Source):
        return _Named([media], one=True)
    if isinstance(media, str | os.PathLike):
        sources = list(_sources(media))
        return _Named(sources, one=[PurePath(each.path).name for each in sources] == [PurePath(media).name])
    if not isinstance(media, Iterable):
        raise UsageError(f"{media!r} is not a path, nor a list of paths")
    return _Named([source for medium in media for source in _sources(medium)], one=False)


def _sources(medium: Medium) -> Iterator[Source]:
    if isinstance(medium, Source):
        yield medium
    elif isinstance(medium, str | os.PathLike) and os.fspath(medium):
        yield from (Source(path, naming.stem(path)) for path in expand(os.fspath(medium)))
    else:
        raise UsageError(f"{medium!r} is not a path")


def _extract(inline: Inline, named: _Named, progress: bool) -> Extracted | Iterator[Extracted]:
    numbered = [replace(source, name=f"{number}_{source.name}") for number, source in enumerate(named.sources)]
    items = _items(named.sources, inline.decode(numbered), progress and not named.one)
    if not named.one:
        return items
    [item] = items
    if item.error:
        raise item.error
    return item


def _items(sources: Sequence[Source], results: Results, bar: bool) -> Iterator[Extracted]:
    """The items of all sources, by the names that the caller knows."""
    with closing(results), tqdm(total=len(sources), unit="source", disable=not bar) as progress:
        for source, (outcome, features) in zip(sources, results, strict=True):
            progress.update()
            yield _extracted(source, outcome, features)


def _extracted(source: Source, outcome: Outcome, features: Features | None) -> Extracted:
    if features is None:
        return Extracted(source, error=MediaError(f"{naming.label(source)}: {outcome.message}"))
    return Extracted(source, features.arrays, features.times, features.predictions, outcome.message)
