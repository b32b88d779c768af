"""The report of the runs on a folder of features: python -m torch_zoo.utils.reports output/vggish."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from torch_zoo.utils.terminal.exit_codes import command


@command(interrupted="no report was written")
def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m torch_zoo.utils.reports", description=__doc__)
    parser.add_argument("folder", help="with features, <output_path>/<feature_type>; a path or a URL")
    from torch_zoo.utils.reports.run_page import write_report

    print(write_report(parser.parse_args(arguments).folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
