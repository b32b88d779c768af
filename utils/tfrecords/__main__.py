"""Tables from TFRecords of embeddings, such as those released with AudioSet.

python -m torch_zoo.utils.tfrecords to-parquet audioset_v1_embeddings/eval eval.parquet

Exit codes are those of main.py: 0 success; 1 a file is damaged; 2 wrong options or inputs; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from torch_zoo.utils import storage
from torch_zoo.utils.expansion import expand
from torch_zoo.utils.lists.text import in_line, read_rows
from torch_zoo.utils.terminal.arguments import Parser, number
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.terminal.loops import progress
from torch_zoo.utils.types import UsageError

SUFFIX = ".tfrecord"
CLASSES_COLUMNS = ["index", "mid", "display_name"]  # of AudioSet's class_labels_indices.csv
SHOWN = 20  # failures

EXAMPLES = """examples:
  the released embeddings of AudioSet's evaluation set, with the names of the classes:
    python -m torch_zoo.utils.tfrecords to-parquet audioset_v1_embeddings/eval eval.parquet \\
      --labels class_labels_indices.csv
  what on_extraction=save_tfrecord record_fields=audioset wrote, at VGGish's own hop:
    python -m torch_zoo.utils.tfrecords to-parquet output/vggish vggish.parquet --hop-seconds 0.96
"""


@command(interrupted="no table was written")
def main(arguments: Sequence[str]) -> int:
    options = _parser().parse(arguments)
    if not options.output.lower().endswith(".parquet"):
        raise UsageError(f"{options.output}: the last argument is the .parquet to write")
    names = _classes(options.labels) if options.labels else None
    paths = list(dict.fromkeys(path for each in options.files for path in _files(each)))

    from torch_zoo.utils.tfrecords.table import write_table

    def labels(classes: Sequence[int]) -> str:
        if names is None:
            return ",".join(map(str, classes))
        if unknown := [each for each in classes if each not in names]:
            raise UsageError(f"--labels {options.labels}: it has no class {unknown[0]}, which a clip has")
        return ";".join(names[each] for each in classes)

    print(f"{len(paths):,} files", file=sys.stderr, flush=True)
    with storage.atomic_write(options.output) as file:
        converted = write_table(file, progress(paths, "converting", len(paths), "file"), options.hop_seconds, labels)
        if not converted.rows:
            raise UsageError(converted.failed[0] if converted.failed else f"{options.files[0]}: there is no row in it")
    for message in converted.failed[:SHOWN]:
        print(f"failed: {message}; the table has what precedes it", file=sys.stderr)
    if len(converted.failed) > SHOWN:
        print(f"failed: {len(converted.failed) - SHOWN:,} more files", file=sys.stderr)
    print(f"{converted.rows:,} rows of {converted.clips:,} clips are in {options.output}", file=sys.stderr)
    return 1 if converted.failed else 0


def _files(path: str) -> list[str]:
    """The records that a path stands for. Raises UsageError if there are none."""
    try:
        listed = sorted(storage.listing(path))
    except OSError as error:
        raise UsageError(f"{path}: {storage.reason(error)}") from error
    found = [storage.join(path, name) for name in listed if name.endswith(SUFFIX)] if listed else expand(path)
    if not found:
        raise UsageError(f"{path}: no {SUFFIX} files in it")
    if found == [path] and not storage.exists(path):
        raise UsageError(f"{path}: no such file or folder")
    return found


def _classes(path: str) -> Mapping[int, str]:
    """The name of each class, by its number. Raises UsageError."""
    names = {}
    for line, row in read_rows(path):
        if row == CLASSES_COLUMNS:
            continue
        if len(row) != len(CLASSES_COLUMNS) or not row[0].isdecimal():
            raise UsageError(f"--labels {in_line(path, line)}: a row must be {','.join(CLASSES_COLUMNS)}")
        names[int(row[0])] = row[-1]
    return names


def _parser() -> Parser:
    parser = Parser(
        prog="python -m torch_zoo.utils.tfrecords",
        description="Tables from TFRecords of embeddings, such as those released with AudioSet.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="to-parquet")
    table = commands.add_parser("to-parquet", help="a Parquet table with a row per window")
    table.add_argument("files", nargs="+", help=f"files, patterns, or folders with {SUFFIX} files; paths or URLs")
    table.add_argument("output", help="the .parquet to write; replaced if it is there")
    table.add_argument("--labels", metavar="CSV", help="class_labels_indices.csv: names instead of class numbers")
    table.add_argument(
        "--hop-seconds",
        type=number(float, 0.001),
        default=1.0,
        help="from one row of a clip to the next (default: 1, as released)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
