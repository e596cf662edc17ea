"""What a lint found, file by file and document by document; the formats only write it down."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from fubini.manifests.explain import Row
from fubini.manifests.findings import DeclaredParameter, Finding


@dataclass(frozen=True, slots=True)
class Checked:
    """One document of one file. `line` is where it begins; findings count lines from the file's begin.

    `generated` is set for what a program wrote: then lines are those of its output, not of the file. `explained` are
    the rows of `manifests.explain`, where they were asked for.
    """

    file: str
    line: int
    kind: str
    name: str
    findings: tuple[Finding, ...]
    truncated: bool = False
    generated: bool = False
    parameters: tuple[DeclaredParameter, ...] = ()
    explained: tuple[Row, ...] | None = None

    @property
    def errors(self) -> int:
        return sum(f.severity == "error" for f in self.findings)


@dataclass(frozen=True, slots=True)
class Lint:
    """All documents, and the names of files or documents that were passed over, each with why."""

    documents: tuple[Checked, ...]
    passed_over: tuple[tuple[str, str], ...] = ()

    @property
    def errors(self) -> int:
        return sum(d.errors for d in self.documents)

    @property
    def warnings(self) -> int:
        return sum(len(d.findings) for d in self.documents) - self.errors

    @property
    def ok(self) -> bool:
        return self.errors == 0

    @property
    def truncated(self) -> bool:
        return any(d.truncated for d in self.documents)

    def strict(self) -> Lint:
        """The same with every warning as an error."""
        return dataclasses.replace(
            self,
            documents=tuple(
                dataclasses.replace(d, findings=tuple(dataclasses.replace(f, severity="error") for f in d.findings))
                for d in self.documents
            ),
        )
