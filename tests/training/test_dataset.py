"""Which clips there are, their classes and splits, and what is wrong with a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from torch_zoo.utils.training.dataset import divided, of_folder, of_lists
from torch_zoo.utils.types import UsageError

QUOTED = '"dog, wet"'
IDS = [f"video_{number:05d}" for number in range(10)]  # of 11 characters, as YouTube's


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Files of all ids but the last."""
    for name in IDS[:9]:
        (tmp_path / "clips" / f"{name}_000030.mp4").parent.mkdir(exist_ok=True)
        (tmp_path / "clips" / f"{name}_000030.mp4").write_bytes(b"")
    return tmp_path


def write(path: Path, *rows: str) -> str:
    path.write_text("".join(f"{row}\r\n" for row in rows))
    return str(path)


def videos(folder: Path) -> str:
    rows = [f"{name},30,{'cat' if at % 2 else QUOTED},{'test' if at > 6 else 'train'}" for at, name in enumerate(IDS)]
    return write(folder / "vggsound.csv", *rows)


def names(clips: list) -> list[str]:  # type: ignore[type-arg]
    return [Path(clip.source.path).name for clip in clips]


def test_a_list_of_videos_says_the_split(clips):
    listed = of_lists(videos(clips), None, str(clips / "clips"), None)
    assert listed.classes == ("cat", "dog, wet")
    assert [source.name for source in listed.missing] == ["video_00009_000030"]
    sets = divided(listed, listed.missing, seed=0)
    assert sorted(names(sets.training)) == [f"{name}_000030.mp4" for name in IDS[:7]]
    assert sorted(names(sets.validation)) == [f"{name}_000030.mp4" for name in IDS[7:9]]
    assert {clip.source.path[-16:-11]: clip.label for clip in sets.training} == {
        f"{at:05d}": at % 2 ^ 1 for at in range(7)
    }


def test_a_second_list_is_for_validation(clips):
    rows = [f"{name}_000030.mp4,{'cat' if at % 2 else 'dog'}" for at, name in enumerate(IDS)]
    training, test = write(clips / "train.csv", *rows[:6]), write(clips / "test.csv", *rows[6:])
    sets = divided(listed := of_lists(training, test, str(clips / "clips"), None), listed.missing, seed=0)
    assert (len(sets.training), len(sets.validation), len(listed.missing)) == (6, 3, 1)


def test_without_splits_a_fifth_of_each_class_is_held_out(clips):
    rows = [f"{clips}/clips/{name}_000030.mp4,{'cat' if at < 5 else 'dog'}" for at, name in enumerate(IDS[:9])]
    listed = of_lists(write(clips / "mine.csv", "path,label", *rows), None, None, None)
    sets = divided(listed, {}, seed=0)
    assert sorted(clip.label for clip in sets.validation) == [0, 1]
    assert len(sets.training) == 7
    assert divided(listed, {}, seed=0) == sets
    assert any(divided(listed, {}, seed=seed) != sets for seed in range(1, 5))


def test_a_folder_has_a_subfolder_per_class(tmp_path):
    for name in ("dog/1.wav", "dog/deep/2.mp4", "cat/1.wav", "cat/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    listed = of_folder(str(tmp_path))
    assert listed.classes == ("cat", "dog")
    assert sorted((Path(clip.source.path).name, clip.label) for clip in listed.clips) == [
        ("1.wav", 0),
        ("1.wav", 1),
        ("2.mp4", 1),
    ]
    assert of_folder(str(tmp_path), ("bird", "cat", "dog")).clips[0].label == 1
    with pytest.raises(UsageError, match="dog: 'dog' is none of the 2 classes; see --labels"):
        of_folder(str(tmp_path), ("bird", "cat"))
    with pytest.raises(UsageError, match="class 'cat': 1 usable clips, none of them to train with"):
        divided(listed, {}, seed=0)


def test_lists_that_are_wrong_are_refused_with_file_and_line(clips):
    folder = str(clips / "clips")
    known = write(clips / "labels.csv", f"{IDS[0]}_000030.mp4,cat", f"{IDS[1]}_000030.mp4,cow")
    with pytest.raises(UsageError, match=r"labels\.csv, line 2: 'cow' is none of the 2 classes; see --labels"):
        of_lists(known, None, folder, ("cat", "dog"))
    with pytest.raises(UsageError, match=r"VGGSound.s list of clips .*: give data_path=FOLDER"):
        of_lists(known, None, None, None)
    odd = write(clips / "odd.csv", f"{IDS[0]},30,cat,train", f"{IDS[1]},30,cat,dev")
    with pytest.raises(UsageError, match=r"odd\.csv, line 2: the split is 'dev'; it must be train or test"):
        of_lists(odd, None, folder, None)
    bare = write(clips / "bare.csv", "path,label", "a.wav,cat", "b.wav,")
    with pytest.raises(UsageError, match=r"bare\.csv, line 3: no label"):
        of_lists(bare, None, None, None)


def test_a_class_without_clips_is_named(clips):
    listed = of_lists(videos(clips), None, str(clips / "clips"), ("bird", "cat", "dog, wet"))
    with pytest.raises(UsageError, match="class 'bird': 0 usable clips, none of them to train with"):
        divided(listed, listed.missing, seed=0)
    listed = of_lists(videos(clips), None, str(clips / "clips"), None)
    learned = [clip.source for clip in listed.clips if clip.split == "train" and clip.label == 0]
    with pytest.raises(UsageError, match=r"class 'cat': 1 usable clips, none of them to train with \(1 of test\)"):
        divided(listed, learned, seed=0)
