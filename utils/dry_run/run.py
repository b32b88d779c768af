"""dry_run=true: what a run would do, without doing it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import cast

from tqdm import tqdm

from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.downloads import postponed
from torch_zoo.utils.dry_run.disk import output_bytes
from torch_zoo.utils.dry_run.probing import Finding, Probing, probed, settled
from torch_zoo.utils.dry_run.report import about_bytes, about_seconds, amount, overview
from torch_zoo.utils.dry_run.sampling import decoding_seconds
from torch_zoo.utils.dry_run.tables import write_table
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.worker_options import WorkerOptions
from torch_zoo.utils.engines.worker_process import interrupt_blocked
from torch_zoo.utils.options import Run
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.sinks.settings import settings_of
from torch_zoo.utils.sources import Inputs
from torch_zoo.utils.terminal.progress import Reporting
from torch_zoo.utils.types import Extractor, Sink, UsageError


def dry_run(
    extractor: Extractor, sink: Sink, inputs: Inputs, workers: WorkerOptions, run: Run, reporting: Reporting
) -> int:
    """Say what a run would do; returns the number of sources that would fail. Raises what a run would raise.

    Nothing is written but the table that is asked for, and no weights are needed. Decoders take all cores.
    """
    if not hasattr(extractor, "probe"):
        raise UsageError(f"dry_run=true: {type(extractor).__name__} has no method probe (CONTRIBUTING.md)")
    selection = inputs.select()
    arrays, decoders = extractor.arrays, workers.decoders("", cpu_cores())
    with postponed():
        sink.prepare(settings_of(extractor), selection.sources, arrays, run.overwrite)
    by_name = {each.source.name: each for each in settled(selection.sources, sink, extractor, run.overwrite)}
    todo = []
    for source in selection.sources:
        if source.name not in by_name and (reason := selection.missing.get(source.name)):
            by_name[source.name] = Finding(source, "missing", reason, fails=inputs.status_of_missing == "failed")
        elif source.name not in by_name:
            todo.append(source)
    with interrupt_blocked():
        server = DecoderServer()
    with closing(server):
        silent = True if reporting.progress == "off" else None  # None: unless on a terminal
        progress = tqdm(total=len(todo), desc="probing", unit="source", disable=silent)
        for finding in probed(todo, cast(Probing, extractor), server, decoders):
            by_name[finding.source.name] = finding
            progress.update()
        progress.close()
        findings = [by_name[source.name] for source in selection.sources]
        if run.dry_run_table:
            write_table(run.dry_run_table, findings, arrays)
        to_extract = [each for each in findings if each.kind == "to extract"]
        print("\n".join([*overview(findings, arrays), amount(to_extract)]))
        if to_extract:
            print(_decoding(decoding_seconds(to_extract, extractor, server, decoders), decoders.number))
            print(_output(to_extract, sink, extractor))
    return sum(each.fails for each in findings)


def _decoding(seconds: float | None, number: int) -> str:
    where = "on 1 core" if number == 1 else f"on {number} cores"
    if seconds is None:
        return "decoding: not estimated, the sample was not decoded in time"
    return f"decoding alone: about {about_seconds(seconds)} {where} of this machine; the networks' time comes on top"


def _output(findings: Sequence[Finding], sink: Sink, extractor: Extractor) -> str:
    if not isinstance(sink, FolderSink):
        return "output: nothing is stored"
    if sink.stores_predictions:
        return "output: the size of predictions is not estimated"
    return f"output: about {about_bytes(output_bytes(findings, sink, extractor.arrays))} in {sink.folder}"
