"""What a dry run expects the outputs to take, and how it says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torch_zoo.utils import storage
from torch_zoo.utils.dry_run.disk import output_bytes
from torch_zoo.utils.dry_run.probing import Finding
from torch_zoo.utils.dry_run.report import about_bytes, about_seconds, overview
from torch_zoo.utils.dry_run.sampling import spread
from torch_zoo.utils.media.headers import Probe
from torch_zoo.utils.sinks.files import SaveNpz, SaveNumpy, SavePickle
from torch_zoo.utils.sinks.hdf5 import SaveHDF5
from torch_zoo.utils.sinks.table import SaveTable
from torch_zoo.utils.sinks.tfrecord import SaveTFRecord
from torch_zoo.utils.sinks.webdataset import SaveWebDataset
from torch_zoo.utils.types import Features, Source

FLOATS = {"rgb": np.dtype((np.float32, 64)), "flow": np.dtype((np.float32, 64)), "timestamps_ms": np.dtype(np.float64)}
BYTES = {"vggish": np.dtype((np.uint8, 128))}
SINKS = [
    (SaveNumpy, {}, FLOATS),
    (SaveNumpy, {"keys": ["rgb"]}, FLOATS),
    (SaveNpz, {}, FLOATS),
    (SavePickle, {}, FLOATS),
    (SaveTable, {}, FLOATS),
    (SaveHDF5, {}, FLOATS),
    (SaveWebDataset, {}, FLOATS),
    (SaveTFRecord, {}, BYTES),
    (SaveTFRecord, {"record_fields": "audioset"}, BYTES),
]


@pytest.mark.parametrize(("kind", "options", "arrays"), SINKS)
def test_the_size_of_outputs(
    kind: Any,
    options: dict[str, Any],
    arrays: dict[str, np.dtype],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of 100 sources with 0 to 99 rows, within 3 %, and without what there is once in a folder."""
    sources = []
    for number in range(100):
        (tmp_path / f"clip_{number:02}.mp4").write_text(f"{number}")
        sources.append(Source(str(tmp_path / f"clip_{number:02}.mp4"), f"clip_{number:02}", columns={"label": "music"}))
    sink = kind(folder=str(tmp_path / "features"), **options)
    sink.prepare({}, sources, arrays, overwrite=False)()
    generator = np.random.default_rng(0)
    for rows, source in enumerate(sources):
        made = {key: (255 * generator.random((rows, *row.shape))).astype(row.base) for key, row in arrays.items()}
        times = 0.96 * np.arange(2.0 * rows).reshape(rows, 2)
        sink.write(Features(source, made, times))
    sink.finish()
    real = sum(stamp.size or 0 for stamp in storage.listing(sink.folder).values())
    real -= (Path(sink.folder) / "extraction.yaml").stat().st_size

    dry = kind(folder=str(tmp_path / "nowhere"), dry_run=True, **options)
    findings = [
        Finding(source, "to extract", probe=Probe("", 1.0, 1.0, rows, exact=True))
        for rows, source in enumerate(sources)
    ]
    caplog.clear()
    assert output_bytes(findings, dry, arrays) == pytest.approx(real, rel=0.03)
    assert not caplog.records
    assert not (tmp_path / "nowhere").exists()


def test_samples_are_spread_over_the_list() -> None:
    assert spread(range(100), 4) == [0, 25, 50, 75]
    assert spread("abc", 4) == ["a", "b", "c"]
    assert spread("", 4) == []


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1234, "1.2 kB"), (53_400_000, "53 MB"), (2.5e15, "2,500.0 TB")]
)
def test_bytes(number: float, text: str) -> None:
    assert about_bytes(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0.27, "0.27 s"), (65, "65 s"), (720, "12 min"), (8000, "2.2 h"), (3.6e6, "1,000 h")]
)
def test_seconds(number: float, text: str) -> None:
    assert about_seconds(number) == text


def test_of_many_failures_twenty_are_shown() -> None:
    findings = [
        Finding(Source(f"{number}.wav", f"{number}"), "missing", "no such file", True) for number in range(1023)
    ]
    lines = list(overview(findings, {}))
    assert lines[1:4] == [
        "missing             1,023  0.wav: no such file",
        "1,023 would fail:",
        "  0.wav: no such file",
    ]
    assert (len(lines), lines[-2:]) == (24, ["  19.wav: no such file", "  and 1,003 more"])
