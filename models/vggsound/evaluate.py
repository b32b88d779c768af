"""Evaluate the predictions of an audio classifier on VGGSound's test sets.

    python -m torch_zoo.models.vggsound.evaluate output/vggsound test.csv
    python -m torch_zoo.models.vggsound.evaluate predictions AStest.csv --only Common.txt

Exit codes are those of main.py: 0 success; 1 a file could not be written; 2 wrong options or inputs; 130 interrupted.
"""

from __future__ import annotations

import csv
import io
import sys
from argparse import Namespace
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from torch_zoo.models.vggsound.evaluation import COLUMNS, Evaluation, evaluated
from torch_zoo.models.vggsound.evaluation_page import evaluation_page
from torch_zoo.models.vggsound.ground_truth import GroundTruth, read_ground_truth
from torch_zoo.models.vggsound.labels import LABELS, read_labels
from torch_zoo.models.vggsound.scores import probabilities, read_predictions
from torch_zoo.utils import storage
from torch_zoo.utils.downloads import verified
from torch_zoo.utils.extras import require
from torch_zoo.utils.terminal.arguments import Parser
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.types import UsageError
from torch_zoo.utils.urls import without_secrets

REPORT, CLASSES = "report.html", "classes.csv"
RESAMPLES, FEWEST = 1000, 20


@command(interrupted="no report was written")
def main(arguments: Sequence[str]) -> int:
    given = _parse(arguments)
    require("evaluation", "sklearn", "scipy", "matplotlib")
    classes = read_labels(given.labels or verified(LABELS, "--labels")[0])
    only = _subset(given.only, classes)
    truth = read_ground_truth(given.test_list, classes, only)
    scores, rows = score_matrix(given.predictions, truth, classes, only)
    there = rows > 0
    named = without_secrets(given.predictions), without_secrets(given.test_list)
    if not there.all():
        _check_missing(*named, np.array(truth.names)[~there], len(there), given.allow_missing)
    evaluation = evaluated(scores[there], truth.target[there], only, given.resamples, given.seed)

    for name, (value, low, high) in evaluation.summary().items():
        print(f"{name}: {value:.4f} [{low:.4f}, {high:.4f}]")
    notes = _notes(evaluation, missing=int((~there).sum()), averaged=int((rows > 1).sum()))
    _save(given.output_path, evaluation, ["Predictions {}, test list {}".format(*named), *notes])
    for note in (*notes, f"the report is {storage.join(given.output_path, REPORT)}"):
        print(note, file=sys.stderr)
    return 0


def score_matrix(
    predictions: str, truth: GroundTruth, classes: Sequence[str], only: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, only), and (n,) how many rows of predictions each clip has. Raises UsageError."""
    place = {name: number for number, name in enumerate(truth.names)}
    columns = np.flatnonzero(np.isin(classes, only))
    scores, number = np.zeros((len(place), len(columns))), np.zeros(len(place), int)
    read = read_predictions(predictions, place, classes)
    for each in tqdm(read, "reading", len(place), unit=" clips", disable=None):
        if number[at := place[each.clip]]:
            raise UsageError(f"{each.file} has a second prediction of {each.clip}; name the table, or move one away")
        if each.rows:
            number[at], scores[at] = len(each.rows), probabilities(each, classes)[columns]
    return scores, number


def _check_missing(predictions: str, test_list: str, missing: np.ndarray, clips: int, allowed: bool) -> None:
    if len(missing) == clips:
        raise UsageError(f"{predictions} has no prediction of any clip of {test_list}, such as {missing[0]}")
    if not allowed:
        others = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise UsageError(
            f"{predictions} has no prediction of {missing[0]}{others} of the {clips:,} clips of {test_list}; "
            "--allow-missing evaluates the rest"
        )


def _subset(path: str | None, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The classes that --only lists. Raises UsageError if one is unknown."""
    only = read_labels(path) if path else classes
    if unknown := set(only) - set(classes):
        raise UsageError(f"--only {path}: unknown class {min(unknown)!r}; the classes are those of --labels")
    return only


def _notes(evaluation: Evaluation, missing: int, averaged: int) -> list[str]:
    """What the numbers are of."""
    counted = len(evaluation.metrics.counted)
    notes = [
        f"{len(evaluation.target):,} clips of {counted} classes; "
        f"95 % intervals from {evaluation.resamples:,} bootstrap resamples of the clips"
    ]
    if without := len(evaluation.classes) - counted:
        notes.append(f"{without} classes without a clip are left out of the means; top-k ranks all classes")
    if missing:
        notes.append(f"{missing:,} clips without a prediction are left out")
    if averaged:
        notes.append(f"{averaged:,} clips have several rows of predictions, whose probabilities are averaged")
    return notes


def _save(folder: str, evaluation: Evaluation, notes: Sequence[str]) -> None:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows((COLUMNS, *evaluation.rows()))
    for name, text in ((CLASSES, table.getvalue()), (REPORT, evaluation_page(evaluation, notes))):
        with storage.atomic_write(storage.join(folder, name)) as file:
            file.write(text.encode())


def _parse(arguments: Sequence[str]) -> Namespace:
    """Raises UsageError."""
    parser = Parser(
        prog="python -m torch_zoo.models.vggsound.evaluate",
        description="mAP, mAUC, d' and top-k accuracy of single-label audio classification, with an HTML report.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "predictions",
        help="a folder with <clip>.npy or <clip>.mp4.npy (probabilities) or <clip>_vggsound_logits.npy, or of tables; "
        "or a table (.parquet, .csv) with the column name, and vggsound_logits or a column of probabilities per class",
    )
    parser.add_argument(
        "test_list", help="test.csv, AStest.csv (<clip>.mp4,<class>), or vggsound.csv for its test split"
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="the classes predicted: stat.csv (default: downloaded once), or a .txt"
    )
    parser.add_argument("--only", metavar="FILE", help="evaluate these classes and their clips only, e.g. Common.txt")
    parser.add_argument("--allow-missing", action="store_true", help="leave out clips that have no prediction")
    parser.add_argument(
        "--resamples", type=int, default=RESAMPLES, metavar="N", help="of the bootstrap (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the bootstrap (default: %(default)s)")
    parser.add_argument(
        "--output-path",
        default="./output/evaluation",
        metavar="FOLDER",
        help=f"for {REPORT} and {CLASSES}, which are replaced (default: %(default)s)",
    )
    given = parser.parse(arguments)
    if given.resamples < FEWEST or given.seed < 0:
        raise UsageError(f"--resamples must be {FEWEST} or more, and --seed 0 or more")
    return given


if __name__ == "__main__":
    sys.exit(main())
