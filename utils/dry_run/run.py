"""dry_run=true: what a run would do, without doing it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from torch_zoo.utils.devices import cpu_cores
from torch_zoo.utils.downloads import postponed
from torch_zoo.utils.dry_run.disk import output_bytes
from torch_zoo.utils.dry_run.probing import Finding, Probing, probed
from torch_zoo.utils.dry_run.report import about_bytes, about_seconds, amount, overview
from torch_zoo.utils.dry_run.sampling import decoding_seconds
from torch_zoo.utils.dry_run.tables import write_table
from torch_zoo.utils.engines.decoder_server import DecoderServer
from torch_zoo.utils.engines.decoders import DecoderOptions
from torch_zoo.utils.engines.worker_options import WorkerOptions
from torch_zoo.utils.engines.worker_process import interrupt_blocked
from torch_zoo.utils.sinks.folder import FolderSink
from torch_zoo.utils.sinks.settings import settings_of
from torch_zoo.utils.sources import Selection
from torch_zoo.utils.terminal.loops import progress
from torch_zoo.utils.types import Extractor, Sink, Source, UsageError

if TYPE_CHECKING:
    from torch_zoo.utils.assembly import Parts


@dataclass(frozen=True, kw_only=True)
class DryRun(WorkerOptions):
    """In the place of an engine: it has decoders, and no devices. Options as in configs/config.yaml."""

    dry_run_table: str | None = None
    progress: Literal["auto", "bar", "log", "off"] = "auto"

    def look(self, parts: Parts) -> int:
        """Say what a run would do; returns the number of sources that would fail. Raises what a run would raise.

        Nothing is written but the table that is asked for, and no weights are needed. Decoders take all cores.
        """
        extractor, sink = parts.extractor, parts.sink
        if not hasattr(extractor, "probe"):
            raise UsageError(f"dry_run=true: {type(extractor).__name__} has no method probe (CONTRIBUTING.md)")
        selection = parts.retry.select(parts.inputs)
        for note in (*selection.notes, *filter(None, [selection.shard])):
            print(note, file=sys.stderr)
        with postponed():
            sink.prepare(settings_of(extractor), selection.sources, extractor.arrays, parts.overwrite)
        known = {each.source.name: each for each in _known(parts, selection)}
        todo = [source for source in selection.sources if source.name not in known]
        options = self.decoders("no device", cpu_cores())
        with interrupt_blocked():
            server = DecoderServer()
        with closing(server):
            known |= {each.source.name: each for each in self._probed(todo, extractor, server, options)}
            findings = [known[source.name] for source in selection.sources]
            print("\n".join(overview(findings, extractor.arrays)))
            if self.dry_run_table:
                write_table(self.dry_run_table, findings, extractor.arrays)
            if to_extract := [each for each in findings if each.kind == "to extract"]:
                print(amount(to_extract))
                seconds = decoding_seconds(to_extract, _keeping_nothing(extractor), server, options)
                print(_decoding(seconds, options.number))
                print(_output(to_extract, sink, extractor))
        return sum(each.fails for each in findings)

    def _probed(
        self, sources: Sequence[Source], extractor: Extractor, server: DecoderServer, options: DecoderOptions
    ) -> Iterator[Finding]:
        findings = probed(sources, cast(Probing, extractor), server, options)
        return progress(findings, "probing", len(sources), "source", shown=self.progress != "off")


def _known(parts: Parts, selection: Selection) -> Iterator[Finding]:
    """What is found without opening a source."""
    given_up = parts.retry.given_up(selection.sources, parts.extractor) if parts.sink.destination else {}
    for source in selection.sources:
        if outcome := parts.settled(source, parts.overwrite):
            fails = outcome.status == "failed"
            yield Finding(source, "name clash" if fails else "done", outcome.message, fails)
        elif reason := selection.missing.get(source.name):
            yield Finding(source, "missing", reason, fails=parts.inputs.status_of_missing == "failed")
        elif source.name in given_up:
            yield Finding(source, "failed before", given_up[source.name].message, fails=True)


def _keeping_nothing(extractor: Extractor) -> Extractor:
    """Without the files of keep_tmp_files."""
    known: Any = extractor
    return replace(known, keep_tmp_files=False) if hasattr(known, "keep_tmp_files") else extractor


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
