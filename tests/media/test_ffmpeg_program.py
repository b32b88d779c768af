"""What the ffmpeg program says when it ends, and whether the file is to blame."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import MUSIC, ROOT

from torch_zoo.utils.attempts import is_lasting
from torch_zoo.utils.media import ffmpeg_cli
from torch_zoo.utils.media.audio import open_audio
from torch_zoo.utils.types import MediaError, Source

PROGRAM = """#!/bin/sh
case "$*" in *-demuxers*) echo " D  mov  QuickTime"; exit;; esac
"""


@pytest.mark.parametrize(
    ("end", "message", "lasting"),
    [
        ("kill -9 $$", "ffmpeg was killed by SIGKILL", False),
        ("echo '[mov @ 0x1] Cannot allocate memory' >&2; exit 1", "ffmpeg: Cannot allocate memory", False),
        ("echo '[mov @ 0x1] moov atom not found' >&2; exit 1", "ffmpeg: moov atom not found", True),
        ("exit 1", "not a media file, or damaged at its start", True),
    ],
)
def test_how_it_ends(end: str, message: str, lasting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(PROGRAM + end)
    program.chmod(0o755)
    monkeypatch.setattr(ffmpeg_cli, "ffmpeg_program", lambda: str(program))
    with pytest.raises(MediaError) as error, open_audio(Source(str(ROOT / MUSIC), "music"), "ffmpeg"):
        pass
    assert str(error.value).startswith(message)
    assert error.value.__cause__ is not error.value
    assert is_lasting(error.value) == lasting
