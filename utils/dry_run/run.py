"""dry_run=true: what a run would do, without doing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, cast

from tqdm import tqdm

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
from torch_zoo.utils.sinks.present import settled
from torch_zoo.utils.sinks.settings import settings_of
from torch_zoo.utils.sources import Inputs, Selection
from torch_zoo.utils.types import Extractor, Sink, Source, UsageError


@dataclass(frozen=True, kw_only=True)
class DryRun(WorkerOptions):
    """In the place of an engine: it has decoders, and no devices. Options as in configs/config.yaml."""

    overwrite: bool = False
    dry_run_table: str | None = None
    progress: Literal["auto", "bar", "log", "off"] = "auto"

    def look(self, extractor: Extractor, sink: Sink, inputs: Inputs) -> int:
        """Say what a run would do; returns the number of sources that would fail. Raises what a run would raise.

        Nothing is written but the table that is asked for, and no weights are needed. Decoders take all cores.
        """
        if not hasattr(extractor, "probe"):
            raise UsageError(f"dry_run=true: {type(extractor).__name__} has no method probe (CONTRIBUTING.md)")
        selection = inputs.select()
        with postponed():
            sink.prepare(settings_of(extractor), selection.sources, extractor.arrays, self.overwrite)
        known = {each.source.name: each for each in self._known(extractor, sink, inputs, selection)}
        todo = [source for source in selection.sources if source.name not in known]
        options = self.decoders("", cpu_cores())
        with interrupt_blocked():
            server = DecoderServer()
        with closing(server):
            known |= {each.source.name: each for each in self._probed(todo, extractor, server, options)}
            findings = [known[source.name] for source in selection.sources]
            if self.dry_run_table:
                write_table(self.dry_run_table, findings, extractor.arrays)
            to_extract = [each for each in findings if each.kind == "to extract"]
            print("\n".join([*overview(findings, extractor.arrays), amount(to_extract)]))
            if to_extract:
                print(_decoding(decoding_seconds(to_extract, extractor, server, options), options.number))
                print(_output(to_extract, sink, extractor))
        return sum(each.fails for each in findings)

    def _known(self, extractor: Extractor, sink: Sink, inputs: Inputs, selection: Selection) -> Iterator[Finding]:
        """What is found without opening a source."""
        for source in selection.sources:
            if outcome := settled(source, sink, extractor.arrays, self.overwrite):
                fails = outcome.status == "failed"
                yield Finding(source, "name clash" if fails else "done", outcome.message, fails)
            elif reason := selection.missing.get(source.name):
                yield Finding(source, "missing", reason, fails=inputs.status_of_missing == "failed")

    def _probed(
        self, sources: Sequence[Source], extractor: Extractor, server: DecoderServer, options: DecoderOptions
    ) -> Iterator[Finding]:
        silent = True if self.progress == "off" else None  # None: unless on a terminal
        with tqdm(total=len(sources), desc="probing", unit="source", disable=silent) as progress:
            for finding in probed(sources, cast(Probing, extractor), server, options):
                yield finding
                progress.update()


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
