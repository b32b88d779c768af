"""Media that change under the run: features are of one file as it was, or their source fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from media_maker import write_mono
from victim import CLIPS, Undisturbed, Victim, check_rerun


def grow(clip: Path) -> None:
    with clip.open("ab") as file:
        file.write(bytes(16_000))


def replace_whole(clip: Path) -> None:
    other = clip.parents[1] / "other.wav"
    write_mono(other, 8, 8000)
    other.rename(clip)


CHANGES: dict[str, Callable[[Path], object]] = {
    "clip0": grow,
    "clip1": replace_whole,
    "clip2": lambda clip: os.truncate(clip, 30_000),
    "clip3": lambda clip: os.utime(clip, (1, 1)),  # which is no change
}


def test_files_that_change_while_they_are_decoded(victim: Victim, undisturbed: Undisturbed) -> None:
    kept = shutil.copytree(victim.clips, victim.folder / "kept")
    victim.plan({f"decode-{name}": "hold" for name in CHANGES})
    with victim.running() as run:
        for name, change in CHANGES.items():
            run.reached(f"decode-{name}")
            change(victim.clips / f"{name}.wav")
            run.release(f"decode-{name}")
        result = run.end()
    assert result.code == 1, result.stderr
    assert f"{len(CLIPS) - 3} done, 0 skipped, 0 empty, 3 failed" in result.stderr
    for name in ("clip0", "clip1"):
        assert f"failed: {victim.clips / name}.wav: it changed while its features were extracted" in result.stderr
    shutil.copytree(kept, victim.clips, dirs_exist_ok=True)
    check_rerun(victim, undisturbed, f"3 done, {len(CLIPS) - 3} skipped")


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
