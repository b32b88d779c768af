"""Media that change under the run: features are of one file as it was, or their source fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from media_maker import write_mono
from outputs import outputs
from victim import CLIPS, Undisturbed, Victim, check_rerun


def grow(clip: Path) -> None:
    with clip.open("ab") as file:
        file.write(bytes(16_000))


def replaced(clip: Path) -> None:
    other = clip.with_name("other.part")
    write_mono(clip.with_name("other.wav"), 8, 8000)
    clip.with_name("other.wav").rename(other)
    other.rename(clip)


CHANGES: dict[str, Callable[[Path], object]] = {
    "grows": grow,
    "is replaced": replaced,
    "is cut": lambda clip: os.truncate(clip, 30_000),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_decoded_fails(change: str, victim: Victim, undisturbed: Undisturbed) -> None:
    clip, kept = victim.clips / "clip1.wav", victim.folder / "kept.wav"
    shutil.copy2(clip, kept)
    victim.plan({"decode-clip1": "hold"})
    with victim.running() as run:
        run.reached("decode-clip1")
        CHANGES[change](clip)
        run.release("decode-clip1")
        result = run.end()
    assert result.code == 1, result.stderr
    assert f"failed: {clip}: " in result.stderr
    assert f"{len(CLIPS) - 1} done, 0 skipped, 0 empty, 1 failed" in result.stderr
    shutil.copy2(kept, clip)
    check_rerun(victim, undisturbed, f"1 done, {len(CLIPS) - 1} skipped")


def test_files_that_are_deleted(victim: Victim, undisturbed: Undisturbed) -> None:
    """One while it is decoded, which does no harm; one before."""
    first, last = victim.clips / "clip1.wav", victim.clips / "music.mp4"
    victim.plan({"decode-clip1": "hold"})
    with victim.running() as run:
        run.reached("decode-clip1")
        for clip in (first, last):
            clip.rename(victim.folder / clip.name)
        run.release("decode-clip1")
        result = run.end()
    assert result.code == 1, result.stderr
    assert f"failed: {last}: cannot be opened: No such file" in result.stderr
    assert f"{len(CLIPS) - 1} done, 0 skipped, 0 empty, 1 failed" in result.stderr
    for clip in (first, last):
        (victim.folder / clip.name).rename(clip)
    check_rerun(victim, undisturbed, f"1 done, {len(CLIPS) - 1} skipped")


def test_a_file_that_is_only_touched_is_done(victim: Victim, undisturbed: Undisturbed) -> None:
    victim.plan({"decode-clip1": "hold"})
    with victim.running() as run:
        run.reached("decode-clip1")
        os.utime(victim.clips / "clip1.wav", (1, 1))
        run.release("decode-clip1")
        assert run.end().code == 0
    assert outputs(victim.stored) == undisturbed("save_numpy")
