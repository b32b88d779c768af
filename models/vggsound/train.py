"""Train an audio classifier on clips: python -m torch_zoo.models.vggsound.train --help.

Exit codes are those of main.py: 0 success; 1 a clip can no longer be read; 2 wrong options or inputs; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch_zoo.models.vggsound.labels import read_labels
from torch_zoo.models.vggsound.trainable import Trainable
from torch_zoo.utils.extras import require
from torch_zoo.utils.terminal.arguments import Parser, number, spelled_as_flags
from torch_zoo.utils.terminal.exit_codes import command
from torch_zoo.utils.training.dataset import Listed, of_folder, of_lists
from torch_zoo.utils.types import UsageError

GRACE_SECONDS = 10.0  # for the first process to tell

EXAMPLES = """examples:
  on your own sounds, in my_sounds/dog/*.mp4, my_sounds/cat/*.wav, ...:
    python -m torch_zoo.models.vggsound.train my_sounds
  on VGGSound, with one process for each of eight GPUs:
    torchrun --nproc_per_node=8 -m torch_zoo.models.vggsound.train vggsound.csv --data-path clips --precision bf16
  then:
    python main.py feature_type=vggsound checkpoint=output/training/best.pth.tar labels=output/training/classes.txt ...
"""


@contextmanager
def said_once() -> Iterator[None]:
    """Under torchrun all processes get the same wrong options: the first one says so, and torchrun ends the others."""
    try:
        yield
    except UsageError:
        if os.environ.get("LOCAL_RANK", "0") != "0":
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # no word of an interruption
            time.sleep(GRACE_SECONDS)
        raise


@command(interrupted="--resume continues after the last complete epoch")
@said_once()
def main(arguments: Sequence[str]) -> int:
    options = _parser().parse(arguments)
    with spelled_as_flags(options):
        _train(options)
    return 0


def _train(options: argparse.Namespace) -> None:
    trainable = Trainable(
        model=options.model,
        pooling=options.pooling,
        window_seconds=options.window_seconds,
        checkpoint=options.checkpoint,
        seed=options.seed,
    )
    if options.tensorboard:
        require("tensorboard", "tensorboard")
    listed = _listed(options)
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes, the first one tells
        print(f"{options.data}: {listed}\nloading PyTorch", file=sys.stderr, flush=True)

    from torch_zoo.models.vggsound.training import train

    train(trainable, options, listed)


def _listed(options: argparse.Namespace) -> Listed:
    """The clips that the options name, and their classes."""
    classes = read_labels(options.labels) if options.labels else None
    if options.data.lower().endswith((".csv", ".tsv")):
        return of_lists(options.data, options.validation, options.data_path, classes)
    for option in ("validation", "data_path"):
        if getattr(options, option) is not None:
            raise UsageError(f"--{option.replace('_', '-')} belongs to a list of clips, and {options.data} is a folder")
    return of_folder(options.data, classes)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m torch_zoo.models.vggsound.train",
        description="Train a classifier of sounds; it can then be used as checkpoint=PATH of feature_type=vggsound.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_data(parser.add_argument_group("data"))
    _add_network(parser.add_argument_group("network"))
    _add_recipe(parser.add_argument_group("recipe"))
    _add_run(parser.add_argument_group("run"))
    return parser


def _add_data(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "data",
        help="a folder with one subfolder per class; or a list: vggsound.csv, train.csv, or a table with the columns "
        "path and label; clips without a split are divided: a fifth of each class is for validation",
    )
    group.add_argument("--validation", metavar="LIST", help="a second list, e.g. test.csv, for validation only")
    group.add_argument("--data-path", metavar="FOLDER", help="folder of the clips that VGGSound's lists name")
    group.add_argument("--labels", metavar="FILE", help="the classes, e.g. stat.csv (default: those of the clips)")
    group.add_argument(
        "--cache-path", default="./tmp/training", help="folder for decoded clips, local (default: %(default)s)"
    )
    group.add_argument(
        "--cache-bytes",
        type=number(int, 0),
        default=50_000_000_000,
        help="size of the cache; a clip of 10 s takes 516,568, and clips that don't fit are decoded in each epoch "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--num-decoders", type=number(int, 1), help="decoder processes per training process (default: one per core)"
    )


def _add_network(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model",
        choices=("resnet18", "resnet34", "resnet50", "vggish"),
        default="resnet18",
        help="(default: resnet18)",
    )
    group.add_argument(
        "--pooling", choices=("netvlad", "avgpool"), default="netvlad", help="of the ResNets (default: netvlad)"
    )
    group.add_argument(
        "--window-seconds",
        type=number(float, 0),
        default=10.0,
        help="of a clip, from its start; shorter clips are repeated (default: 10)",
    )
    group.add_argument(
        "--checkpoint", default="random", help="weights to start from: random (default), pretrained, or a path"
    )


def _add_recipe(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--epochs", type=number(int, 1), default=30, help="(default: %(default)s)")
    group.add_argument(
        "--batch-size", type=number(int, 1), default=64, help="clips, over all processes (default: %(default)s)"
    )
    group.add_argument("--learning-rate", type=number(float, 0), default=1e-3, help="of Adam (default: %(default)s)")
    group.add_argument(
        "--warmup-epochs",
        type=number(float, 0),
        default=1.0,
        help="during which the learning rate rises linearly (default: %(default)s)",
    )
    group.add_argument(
        "--decay", choices=("cosine", "constant"), default="cosine", help="of the learning rate (default: cosine)"
    )
    group.add_argument(
        "--precision",
        choices=("fp32", "bf16", "fp16"),
        default="fp32",
        help="of the network's operations (default: fp32)",
    )
    group.add_argument(
        "--seed", type=number(int, 0), default=0, help="of random weights, validation clips and order (default: 0)"
    )


def _add_run(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--output-path", default="./output", help="the run is saved in its folder training (default: %(default)s)"
    )
    group.add_argument("--resume", action="store_true", help="continue after the last complete epoch")
    group.add_argument("--overwrite", action="store_true", help="replace an existing run")
    group.add_argument("--tensorboard", action="store_true", help="log for TensorBoard too")
    group.add_argument(
        "--device",
        choices=("auto", "cuda", "cpu"),
        default="auto",
        help="auto (default): CUDA if there is a GPU, else the CPU",
    )


if __name__ == "__main__":
    sys.exit(main())
