"""What all sinks that keep a folder of features share: its settings, and what each output was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

from torch_zoo.utils import storage
from torch_zoo.utils.sinks.member import Member, member
from torch_zoo.utils.sinks.provenance import Provenance
from torch_zoo.utils.sinks.record import Record, record_of
from torch_zoo.utils.sinks.settings import check_writable, claim_folder, make_folder
from torch_zoo.utils.types import Commit, OutputError, Sink, Source, UsageError, WorkerError


@dataclass(frozen=True, kw_only=True)
class FolderSink(Sink):
    """A sink that stores features in `folder`, a local path or a URL; `adopt`, `dry_run` as in configs/config.yaml.

    In a dry run, `prepare` writes nothing, and nothing but `has` is called after it.
    """

    folder: str
    adopt: bool = False
    dry_run: bool = False
    run: str = field(default="", init=False)  # the ID of this run, where several may share the folder

    @property
    def destination(self) -> str:
        return self.folder

    def expect(self, source: Source) -> None:
        self.provenance.expect(source)

    def open(self, token: str) -> None:
        self.provenance.open(f"{self.run}-{token}" if self.run else token)

    def flush(self) -> None:
        self.provenance.flush()

    def finish(self) -> None:
        """Merge the records of what the outputs were made from."""
        deleted = self.provenance.deleted
        try:
            if not deleted:
                self.provenance.save()
            self.provenance.close()
            self.provenance.merge()
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be written ({storage.reason(error)})") from error
        if deleted:
            raise WorkerError(f"{self.folder} was deleted during the run, and what it held is lost")

    def claim(
        self,
        settings: Mapping[str, object],
        sources: Sequence[Source],
        overwritten: Set[str],
        present: Iterable[str],
        lines: bytes = b"",
    ) -> Commit:
        """`prepare` as to the folder; raises UsageError.

        `overwritten` are the files in it that the run will write again, `present` the names of the sources that have
        outputs there, `lines` what these say of their origins.
        """
        try:
            self.join()
            if not self.dry_run:
                self.provenance.merge()  # what a run that was killed left
            claimed = claim_folder(self.folder, settings, self.record, overwritten=overwritten, adopt=self.adopt)
            (check_writable if self.dry_run else make_folder)(self.folder)
            self.join()
            self.provenance.learn(lines)
            if self.provenance.is_empty:  # the outputs are of a version that kept no record, or of another tool
                self.provenance.adopt(present)
            if not overwritten:
                self.provenance.ask(sources)
        except OSError as error:
            raise UsageError(f"{error.filename}: {storage.reason(error)}") from error

        def commit() -> None:
            claimed()
            FolderSink.open(self, self.provenance.token)
            self.provenance.save()

        return commit

    def join(self) -> None:
        """Become one of the runs that write to the folder, if it exists. Raises OSError."""
        if self.member and not self.dry_run and Path(storage.local(self.folder)).is_dir():
            self.member.join()
            object.__setattr__(self, "run", self.member.id)

    @property
    def member(self) -> Member | None:
        """This run among those that write to the folder; behind a URL, runs know nothing of each other."""
        return None if storage.is_url(self.folder) else member(Path(storage.local(self.folder)))

    @cached_property
    def record(self) -> Record:
        return record_of(self.folder)

    @cached_property
    def provenance(self) -> Provenance:
        return Provenance(self.folder, self.record)

    def __getstate__(self) -> dict[str, object]:
        """The options: a worker's copy opens files of its own."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
