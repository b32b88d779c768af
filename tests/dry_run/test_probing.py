"""Sources are probed in decoder processes: one that crashes or hangs costs nothing else, and URLs cost a header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from actors import CRASHES
from faulty_server import Web
from media_maker import noise_and_tone, write_kind, write_media

from torch_zoo.models.vggish.extractor import VGGishExtractor
from torch_zoo.utils.dry_run import sampling
from torch_zoo.utils.dry_run.probing import Finding, Probing, probed
from torch_zoo.utils.dry_run.sampling import decoding_seconds
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions
from torch_zoo.utils.media.headers import Probe
from torch_zoo.utils.media.streams import NoStreamError
from torch_zoo.utils.types import MediaError, Source, Windows

OPTIONS = DecoderOptions(2, timeout=2, memory=None)
PROBE = Probe("one", 10.0, 2.0, 20, exact=True)


@dataclass(frozen=True)
class Peeker:
    """The path's first word is what happens."""

    empty_message: str = "too short for it"

    def probe(self, source: Source) -> Probe:
        word = source.path.split()[0]
        if word == "media":
            raise MediaError("it is broken")
        if word == "silent":
            raise NoStreamError("it is silent")
        if word in CRASHES:
            CRASHES[word]()
        return Probe("one", 10.0, 0.1, 0, exact=True) if word == "short" else PROBE

    def windows(self, source: Source) -> Iterator[Windows]:
        CRASHES["hang"]()
        yield from ()


@pytest.fixture(scope="module")
def server() -> Iterator[DecoderServer]:
    with closing(DecoderServer()) as server:
        yield server


def look(extractor: Probing, server: DecoderServer, paths: Sequence[str]) -> dict[str, Finding]:
    sources = [Source(path, path) for path in paths]
    found = list(probed(sources, extractor, server, OPTIONS))
    assert sorted(each.source.path for each in found) == sorted(paths)
    return {each.source.path: each for each in found}


def test_what_happens_to_a_source_is_found_of_it_alone(server: DecoderServer) -> None:
    good = [f"good {number}" for number in range(20)]
    wrong = {
        "media x": ("unreadable", "it is broken", True),
        "silent x": ("no such stream", "it is silent", True),
        "short x": ("too short", "too short for it", False),
        "exit x": ("unreadable", "its decoder ended with exit code 5; tried twice", True),
        "segfault x": ("unreadable", "its decoder was killed by SIGSEGV; tried twice", True),
        "hang x": ("unreadable", "no progress for 2 s (timeout=2); tried twice", True),
    }
    found = look(Peeker(), server, [*good[:5], *wrong, *good[5:]])
    assert {path: (each.kind, each.message, each.fails) for path, each in found.items() if path in wrong} == wrong
    assert [found[path] for path in good] == [Finding(Source(path, path), "to extract", probe=PROBE) for path in good]


def test_a_sample_that_takes_too_long_is_given_up(server: DecoderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SECONDS", 0.2)
    assert decoding_seconds([Finding(Source("x", "x"), "to extract", probe=PROBE)], Peeker(), server, OPTIONS) is None


def test_the_time_of_decoding_grows_with_what_there_is_to_decode(server: DecoderServer, tmp_path: Path) -> None:
    """The media of all findings are the same; all but a sample are only said to be there, and to be ten hours long."""
    path, _, _ = write_kind(tmp_path, "h264+aac.mp4")
    findings = [
        Finding(Source(str(path), f"{number}"), "to extract", probe=Probe("", 44100, seconds, 1, exact=True))
        for number, seconds in enumerate([2.0] * 8 + [36_000.0] * 8)
    ]
    short, long = (decoding_seconds(part, VGGishExtractor(), server, OPTIONS) for part in (findings[:8], findings[8:]))
    assert short is not None
    assert long is not None
    assert long > 100 * short


def test_of_urls_only_headers_are_fetched(server: DecoderServer, web: Web, tmp_path: Path) -> None:
    rate, seconds = 44100, 60
    path = write_media(tmp_path / "x.wav", noise_and_tone(seconds, rate), rate, "pcm_s16le")
    url = web.put("long.wav", path.read_bytes())
    found = look(VGGishExtractor(), server, [url, f"{web.address}/gone.wav"])
    assert found[url].probe == Probe("pcm_16 44100 Hz", rate, seconds, 62, exact=True)
    assert found[f"{web.address}/gone.wav"].kind == "unreadable"
    spans = [re.fullmatch(r"bytes=(\d+)-(\d+)", span) for method, _, span in web.asked if method == "GET"]
    fetched = [int(span[2]) - int(span[1]) + 1 for span in spans if span]
    assert len(fetched) == sum(path == "/long.wav" and method == "GET" for method, path, _ in web.asked)
    assert sum(fetched) < 2.2e6 < path.stat().st_size
