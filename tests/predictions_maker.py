"""Made-up predictions of a small data set in VGGSound's format, for the evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CLASSES = ("<b>cat</b> & $x$", "air horn", "bird chirping, tweeting", "dog bow-wow", "eagle screaming", "playing flute")
CLIPS = 90


def scores_and_target(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (90, 6) float32, and the class of each clip; each class has some."""
    random = np.random.default_rng(seed)
    target = np.arange(CLIPS) ** 2 // 7 % len(CLASSES)
    logits = random.normal(size=(CLIPS, len(CLASSES))) + 1.5 * np.eye(len(CLASSES))[target]
    exponentials = np.exp(logits)
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32), target


def names() -> list[str]:
    return [f"AbCdEfGhI{number:02d}_{number:06d}" for number in range(CLIPS)]


def write_list(path: Path, listed: np.ndarray) -> None:
    """The clips and their classes, as VGGSound's test.csv."""
    rows = (f'{name}.mp4,"{CLASSES[index]}"' for name, index in zip(names(), listed, strict=True))
    path.write_text("\r\n".join(rows), encoding="utf-8", newline="")


def write_data_set(folder: Path) -> None:
    """`predictions/<clip>.mp4.npy`, as VGGSound's test.py writes them, `test.csv`, and `classes.txt`."""
    scores, target = scores_and_target()
    (folder / "predictions").mkdir()
    for name, row in zip(names(), scores, strict=True):
        np.save(folder / "predictions" / f"{name}.mp4.npy", row)
    write_list(folder / "test.csv", target)
    (folder / "classes.txt").write_text("\n".join(reversed(CLASSES)), encoding="utf-8")
