"""Decoders fetch what they will decode next; what arrives slowly is waited for, what stalls is not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from command import MUSIC, ROOT
from faulty_server import Web

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.engines.channel import readable
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import AHEAD_OF_URLS, DecoderOptions, Decoders
from torch_zoo.utils.engines.pipeline import Ended
from torch_zoo.utils.types import Source


def ends(sources: Sequence[Source], timeout: float, web: Web) -> tuple[dict[str, str], list[int]]:
    """The error of each source, by name, and how many had been asked for when each one ended."""
    errors: dict[str, str] = {}
    asked: list[int] = []
    options = DecoderOptions(1, timeout, None)
    with (
        closing(DecoderServer()) as server,
        closing(Decoders(server.connect(), VGGishExtractor(checkpoint="random"), options)) as decoders,
    ):
        for source in sources:
            list(decoders.add(source))
        while decoders.unfinished:
            for channel in readable(decoders.channels):
                for source, event in decoders.receive(channel):
                    if isinstance(event, Ended):
                        errors[source.name] = event.error
                        asked.append(len({path for method, path, _ in web.asked}))
    return errors, asked


@pytest.fixture
def clip() -> bytes:
    return Path(ROOT, MUSIC).read_bytes()


def test_several_sources_are_fetched_while_one_is_decoded(clip: bytes, web: Web) -> None:
    names = [f"{number}" for number in range(12)]
    sources = [Source(web.put(f"{name}.mp4", clip, after=AHEAD_OF_URLS - 1), name) for name in names]
    errors, asked = ends(sources, 60, web)
    assert errors == dict.fromkeys(names, "")
    assert AHEAD_OF_URLS - 1 <= asked[0] <= AHEAD_OF_URLS + 1
    assert len(web.asked) == 12  # one request each


def test_slow_is_not_stalled(clip: bytes, web: Web) -> None:
    slow = Source(web.put("slow.mp4", clip, bytes_per_second=len(clip) / 5), "slow")
    stalled = Source(web.put("stalled.mp4", clip, stalls=True), "stalled")
    good = Source(web.put("good.mp4", clip), "good")
    errors, _ = ends([slow, stalled, good], 3.0, web)
    assert errors == {"slow": "", "stalled": "no progress for 3 s (timeout=3); tried twice", "good": ""}
