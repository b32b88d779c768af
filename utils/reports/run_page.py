"""The runs on a folder of features as an HTML page: the latest one in detail, then all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from torch_zoo.utils import storage
from torch_zoo.utils.extras import require
from torch_zoo.utils.reports import run_plots
from torch_zoo.utils.reports.figures import draw
from torch_zoo.utils.reports.page import (
    Bar,
    Bars,
    Block,
    Cell,
    Figure,
    Link,
    Number,
    Numbers,
    Section,
    Table,
    Text,
    page,
    shown,
)
from torch_zoo.utils.runs.history import Run, runs
from torch_zoo.utils.runs.recording import FOLDER, LOG, REPORT
from torch_zoo.utils.sinks import failures
from torch_zoo.utils.types import UsageError

LISTED = 12  # reasons, and workers
FEWEST_SAMPLES = 3  # for a figure over time
STATES = {"done": "done", "skipped": "done before", "empty": "empty", "failed": "failed", "missing": "missing"}
ENDS = {
    "completed": "completed after",
    "interrupted": "interrupted after",
    "failed": "failed after",
    "running": "going on, or killed, after",
}
HEADS = ("Began, UTC", "Status", "Done", "Done before", "Failed", "Seconds", "Times real time", "Host")


def write_report(folder: str) -> str:
    """Write `runs/report.html` in a folder of features; returns its path. Raises UsageError, OSError."""
    require("report", "matplotlib")
    found = runs(folder)
    if not found:
        raise UsageError(f"{folder}: no record of a run there ({FOLDER}/<time>/run.json)")
    path = storage.join(folder, FOLDER, REPORT)
    with storage.atomic_write(path) as file:
        file.write(run_page(folder, found).encode(errors="backslashreplace"))
    return path


def run_page(folder: str, found: Sequence[Run]) -> str:
    """The whole document; `found` are the records, oldest first."""
    latest = found[-1]
    return page(
        f"{latest['feature_type']}: {_counted(latest['sources']['done'], 'source')} done",
        [
            Section("", [*map(Text, _notes(folder, latest)), Numbers(list(_numbers(latest)))]),
            Section("Over time", list(_over_time(latest)), beside=True),
            Section("Sources", list(_sources(latest)), beside=True),
            Section("Features", list(_lists(latest))),
            Section("Runs in this folder", [Table(HEADS, [_row(run) for run in reversed(found)])]),
            Section("How the latest one was made", list(_made(latest))),
        ],
    )


def _notes(folder: str, run: Run) -> Iterator[str]:
    machine = run["machine"]
    gpus = ", ".join(machine["gpus"])
    yield f"Features in {folder}; {ENDS[run['status']]} {_duration(run['seconds'])}."
    if run["status"] == "failed":
        yield f"{run['error']}."
    hardware = f"{machine['cpu']}, {_counted(machine['cores'], 'core')}" + (f", {gpus}" if gpus else "")
    yield f"Began {_time(run)} UTC on {machine['host']} ({hardware})."


def _numbers(run: Run) -> Iterator[Number]:
    sources, seconds = run["sources"], max(1e-9, run["seconds"])
    tried = sources["done"] + sources["empty"] + sources["failed"]
    yield Number("Done", shown(sources["done"]), f"{sources['skipped']:,} done before")
    yield Number("Failed", shown(sources["failed"]), f"of {tried:,} tried")
    yield Number("Media", _duration(run["media_seconds"]), "covered by the features")
    yield Number("Speed", f"{run['media_seconds'] / seconds:,.1f} \N{MULTIPLICATION SIGN}", "real time, start included")
    workers = run["workers"].values()
    elapsed = sum(each["seconds"] for each in workers)
    if elapsed and all(each["busy_seconds"] is not None for each in workers):
        busy = min(1.0, sum(each["busy_seconds"] for each in workers) / elapsed)
        waiting = sum(each["waiting_seconds"] for each in workers) / elapsed
        number = _counted(len(run["workers"]), "worker")
        yield Number("Devices busy", f"{busy:.0%}", f"{number}; {waiting:.0%} waiting for windows")


def _over_time(run: Run) -> Iterator[Block]:
    found = run_plots.columns(run["over_time"])
    if len(found["seconds"]) < FEWEST_SAMPLES:
        yield Text("The run was too short for figures over time.")
        return
    yield Figure(
        draw(partial(run_plots.throughput, found)),
        "Throughput",
        f"Media of the features that came out in each interval; on average {run_plots.mean_rate(found):,.1f} s per s "
        "(dashed), from when the first worker was ready.",
    )
    yield Figure(
        draw(partial(run_plots.progress, found)), "Sources", "How many have been tried, and how many of them failed."
    )
    if found["worker_seconds"][-1] > found["worker_seconds"][0]:
        yield Figure(
            draw(partial(run_plots.shares, found)),
            "Workers",
            "A worker that waits for windows would be faster with more decoders; one whose device always computes, "
            "with a larger device.",
        )
        yield Figure(
            draw(partial(run_plots.queues, found)),
            "Queues",
            "Decoders whose windows wait to be taken, and sources that are being decoded or come next.",
        )
    if len(run["workers"]) > 1:
        yield _workers(run["workers"])


def _workers(workers: Mapping[str, Mapping[str, Any]]) -> Bars:
    """Those that computed least first, since they may show what is wrong."""
    bars = []
    for name, each in workers.items():
        elapsed = max(1e-9, each["seconds"])
        busy, waiting = min(1.0, (each["busy_seconds"] or 0) / elapsed), each["waiting_seconds"] / elapsed
        computes = "" if each["busy_seconds"] is None else f"computes {busy:.0%}, "
        bars.append(Bar(name, busy, f"{computes}waits {waiting:.0%}"))
    return Bars("Each worker", sorted(bars, key=lambda bar: bar.share)[:LISTED], "Of its time; the least busy first.")


def _sources(run: Run) -> Iterator[Block]:
    counts = {label: run["sources"][state] for state, label in STATES.items() if run["sources"][state]}
    total = sum(counts.values())
    yield Bars(
        "By state",
        [Bar(label, count / total, f"{count:,} ({count / total:.1%})") for label, count in counts.items()],
    )
    yield _reasons(run["failures"])
    if run["durations"]:
        plot = partial(run_plots.histogram, "s of media", {"": run["durations"]})
        yield Figure(draw(plot), "Durations", "Time that the windows of each source cover.")
    if norms := {name: each["norms"] for name, each in run["features"]["arrays"].items() if each["norms"]}:
        plot = partial(run_plots.histogram, "mean L2 norm of the rows", norms)
        yield Figure(draw(plot), "Norms of the features", "Sources far from the others deserve a look.")


def _reasons(reasons: Sequence[Mapping[str, Any]]) -> Bars:
    bars = [
        Bar(f"{each['reason']} (e.g. {each['example']})", each["count"] / reasons[0]["count"], f"{each['count']:,}")
        for each in reasons[:LISTED]
    ]
    more = f"{len(reasons) - LISTED} more reasons are in the list. " if len(reasons) > LISTED else ""
    caption = f"{more}In a reason, # is any number." if reasons else "No source failed."
    return Bars("Why sources failed", bars, caption)


def _lists(run: Run) -> Iterator[Block]:
    """What failed, and what is suspicious."""
    if run["failures"]:
        yield Link(f"../{failures.FILE_NAME}", f"{failures.FILE_NAME}: all that failed, as a list to try again")
    found = run["features"]
    arrays = {name: each for name, each in found["arrays"].items() if each["sources"]}
    if arrays:
        rows: list[Sequence[Cell]] = [
            (name, each["sources"], each["rows"], float(each["mean"]), float(each["std"]), float(each["zeros"]))
            for name, each in arrays.items()
        ]
        yield Table(("Array", "Sources", "Rows", "Mean", "Standard deviation", "Share of zeros"), rows)
    if found["suspicious"]:
        suspects: list[Sequence[Cell]] = [(each["source"], each["array"], each["what"]) for each in found["suspects"]]
        yield Text(f"Features of {_counted(found['suspicious'], 'source')} look wrong, e.g. of these:")
        yield Table(("Source", "Array", "What is suspicious"), suspects)


def _row(run: Run) -> Sequence[Cell]:
    counts = (run["sources"][state] for state in ("done", "skipped", "failed"))
    speed = run["media_seconds"] / max(1e-9, run["seconds"])
    return (_time(run), run["status"], *counts, round(run["seconds"]), float(speed), run["machine"]["host"])


def _made(run: Run) -> Iterator[Block]:
    given, resolved = run["options"]["given"], run["options"]["resolved"]
    yield Text(", ".join(f"{name} {version}" for name, version in run["versions"].items()) + ".")
    yield Text(f"{run['machine']['system']}.")
    yield Link(f"{run['name']}/{LOG}", f"{LOG}: what the log showed, with timestamps")
    ordered = sorted(resolved.items(), key=lambda option: option[0] not in given)
    rows: list[Sequence[Cell]] = [
        (name, value if isinstance(value, str) else json.dumps(value), "yes" if name in given else "")
        for name, value in ordered
    ]
    yield Table(("Option", "Value", "Given"), rows)


def _time(run: Run) -> str:
    return run["began"].replace("T", " ").rstrip("Z")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + "s" * (number != 1)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return "{}:{:02} min".format(*divmod(round(seconds), 60))
    return f"{seconds / 3600:,.1f} h"
