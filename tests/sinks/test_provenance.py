"""A source is skipped only where the outputs of its name were made from it."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from torch_zoo.utils import remote
from torch_zoo.utils.sinks import origins
from torch_zoo.utils.sinks.files import SaveNumpy, SavePickle
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.sinks.tfrecord import SaveTFRecord
from torch_zoo.utils.types import Features, OutputConflictError, Source, UsageError

SINKS = [SaveNumpy, SavePickle, SaveTFRecord, SaveTable]
SETTINGS = {"hop_seconds": 0.96}
ROWS = {"vggish": np.dtype((np.uint8, 4))}
SIZE = 200_000  # bytes of a media file: more than its two ends


@pytest.fixture(params=SINKS)
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> FolderSink:
    return request.param(folder=str(tmp_path / "features"))


@pytest.fixture
def clip(tmp_path: Path) -> Source:
    return media(tmp_path / "a/clip.mp4")


def media(path: Path, place: int = 0, mtime: float = 1e9) -> Source:
    """A file in which one byte is 1: the one at `place`."""
    path.parent.mkdir(exist_ok=True)
    content = bytearray(SIZE)
    content[place] = 1
    path.write_bytes(content)
    os.utime(path, (mtime, mtime))
    return Source(str(path), path.stem)


def extract(sink: FolderSink, *sources: Source, complete: bool = True) -> None:
    """A run with a worker of its own, which is killed in the middle of the last source if not `complete`."""
    sink.prepare(SETTINGS, sources, ROWS, False)()
    worker = pickle.loads(pickle.dumps(sink))
    worker.open("host-1-ab")
    for source in sources:
        if not complete and source is sources[-1]:
            with pytest.raises(KeyboardInterrupt), worker.provenance.writing(source):
                raise KeyboardInterrupt
        else:
            worker.write(Features(source, {"vggish": np.ones((1, 4), np.uint8)}, np.array([[0.0, 1.0]])))
    for each in getattr(worker.__dict__.get("waiting"), "journal", None), worker.provenance:
        if each:
            each.close()  # as a process that exits does
    sink.finish()


def resumed(sink: FolderSink, *, adopt: bool = False) -> FolderSink:
    """A new run."""
    sink = replace(sink, adopt=adopt)
    sink.prepare(SETTINGS, [], ROWS, False)
    return sink


def test_the_same_file_is_skipped_and_another_of_its_name_is_named(
    sink: FolderSink, clip: Source, tmp_path: Path
) -> None:
    extract(sink, clip)
    assert resumed(sink).has(clip, ROWS)
    for other in (media(tmp_path / "b/clip.mp4", place=SIZE - 1), media(tmp_path / "c/clip.mp4", place=9)):
        with pytest.raises(OutputConflictError) as raised:
            resumed(sink).has(other, ROWS)
        assert f"features holds clip made from {clip.path}; choose another output_path" in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_copy_is_the_same_wherever_and_whenever_it_was_made(sink: FolderSink, clip: Source, tmp_path: Path) -> None:
    extract(sink, clip)
    moved = media(tmp_path / "moved/clip.mp4", mtime=2e9)
    run = resumed(sink)
    assert run.has(moved, ROWS)
    run.finish()
    recorded = json.loads(Path(sink.folder, "sources.jsonl").read_text().splitlines()[-1])["made_from"]
    assert (recorded["path"], recorded["mtime_ns"]) == (moved.path, 2 * 10**18)  # so that it is not read again


def test_a_file_that_changed_is_named(sink: FolderSink, clip: Source) -> None:
    extract(sink, clip)
    media(Path(clip.path), place=SIZE - 1, mtime=2e9)
    with pytest.raises(OutputConflictError, match=r"it has changed since .*; overwrite=true extracts it again"):
        resumed(sink).has(clip, ROWS)


def test_another_segment_of_that_name_is_named(sink: FolderSink, clip: Source) -> None:
    extract(sink, Source(clip.path, "x", 1.0, 2.5))
    assert resumed(sink).has(Source(clip.path, "x", 1.0, 2.5), ROWS)
    for start, end in ((0.0, 2.5), (1.0, None), (1.0, 3.0)):
        with pytest.raises(OutputConflictError, match=r"clip\.mp4, 1 s to 2\.5 s; choose another"):
            resumed(sink).has(Source(clip.path, "x", start, end), ROWS)


def test_a_pipe_is_not_read_to_tell_what_is_in_it() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"RIFF")
    os.close(writing)
    assert origins.known(Source(f"/dev/fd/{reading}", "x")).digest is None
    assert os.read(reading, 4) == b"RIFF"
    os.close(reading)


def test_url_is_the_same_whatever_is_signed_into_it(sink: FolderSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server can't be asked for more."""
    monkeypatch.setattr(remote, "PAUSES", ())
    extract(sink, Source("https://me:secret@host/clip.mp4?signature=1", "clip"))
    assert resumed(sink).has(Source("https://me:secret@host/clip.mp4?signature=2", "clip"), ROWS)
    with pytest.raises(OutputConflictError, match=r"made from https://host/clip\.mp4;"):
        resumed(sink).has(Source("https://host/other/clip.mp4", "clip"), ROWS)
    assert "secret" not in Path(sink.folder, "sources.jsonl").read_text()


def test_servers_are_asked_about_expected_sources_all_at_once(
    sink: FolderSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [Source(f"https://host/{number}.mp4", f"{number}") for number in range(8)]
    others = Barrier(len(sources))

    def read(source: Source) -> origins.Origin:
        others.wait(timeout=20)
        return origins.seen(source)._replace(size=9, etag=f"tag of {source.path}")

    monkeypatch.setattr(origins, "read", read)
    sink.prepare(SETTINGS, sources, ROWS, False)()
    for source in sources:
        sink.expect(source)
    sink.open("host-1-ab")
    for source in sources:
        sink.write(Features(source, {"vggish": np.ones((1, 4), np.uint8)}, np.array([[0.0, 1.0]])))
    sink.finish()
    lines = [json.loads(line) for line in Path(sink.folder, "sources.jsonl").read_text().splitlines()]
    recorded = {line["name"]: line["made_from"] for line in lines}
    assert {name: made_from["etag"] for name, made_from in recorded.items()} == {
        source.name: f"tag of {source.path}" for source in sources
    }


def test_expected_sources_that_are_never_written_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that fail are not written."""
    asked: list[Source] = []
    monkeypatch.setattr(origins, "known", lambda source: asked.append(source) or origins.Origin(source.path))
    monkeypatch.setattr(origins, "MOST_EXPECTED", 3)
    lookup = origins.Lookup()
    sources = [Source(f"https://host/{number}.mp4", f"{number}") for number in range(5)]
    for source in sources:
        lookup.expect(source)
    assert [lookup.known(source).path for source in sources] == [source.path for source in sources]
    assert sorted(asked.count(source) for source in sources) == [1, 1, 1, 2, 2]
    lookup.expect(sources[-1])
    assert [lookup.known(sources[-1]).path for _ in range(2)] == [sources[-1].path] * 2  # where it is written again
    assert asked.count(sources[-1]) == 2


def test_what_was_killed_while_it_was_written_is_extracted_again(
    sink: FolderSink, clip: Source, tmp_path: Path
) -> None:
    other = media(tmp_path / "a/other.mp4")
    extract(sink, clip, other)
    extract(sink, clip, complete=False)
    run = resumed(sink)
    assert (run.has(clip, ROWS), run.has(other, ROWS)) == (False, True)


def test_a_record_cut_anywhere_is_read_and_appended_to(clip: Source, tmp_path: Path) -> None:
    sink = SaveNumpy(folder=str(tmp_path / "features"))
    others = [media(tmp_path / f"a/{name}.mp4") for name in ("b", "caf\udce9", "d")]
    extract(sink, *others)
    record = Path(sink.folder, "sources.jsonl")
    content = record.read_bytes()
    ends = [end + 1 for end, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(ends[0], len(content), 41):
        record.write_bytes(content[:cut])
        run = resumed(sink)
        assert [run.has(source, ROWS) for source in others] == [cut >= end - 1 for end in ends]
        extract(sink, clip)
        assert resumed(sink).has(clip, ROWS)


def test_outputs_of_versions_without_a_record_are_those_of_the_first_source(
    sink: FolderSink, clip: Source, tmp_path: Path
) -> None:
    other = media(tmp_path / "a/other.mp4")
    extract(sink, clip, other)
    Path(sink.folder, "sources.jsonl").unlink()
    run = resumed(sink)
    assert run.has(clip, ROWS)
    run.finish()
    shorter = tmp_path / "b/clip.mp4"
    shorter.parent.mkdir()
    shorter.write_bytes(b"other")
    run = resumed(sink)
    with pytest.raises(OutputConflictError, match="made from"):
        run.has(Source(str(shorter), "clip"), ROWS)
    assert run.has(other, ROWS)  # also of a source that was not in the first list


def test_adopted_outputs_are_those_of_the_first_source(sink: FolderSink, clip: Source) -> None:
    extract(sink, clip)
    for name in ("sources.jsonl", "extraction.yaml"):
        Path(sink.folder, name).unlink()
    with pytest.raises(UsageError, match="adopt=true"):
        resumed(sink)
    assert resumed(sink, adopt=True).has(clip, ROWS)


def test_resuming_reads_no_media(sink: FolderSink, clip: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    extract(sink, clip)
    monkeypatch.setattr("torch_zoo.utils.sinks.origins.digest_of_ends", None)
    assert resumed(sink).has(clip, ROWS)
    shutil.copy(clip.path, f"{clip.path}.copy")
    with pytest.raises(TypeError):
        resumed(sink).has(Source(f"{clip.path}.copy", "clip"), ROWS)
