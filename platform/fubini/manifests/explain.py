"""What becomes of a manifest that was made for a cluster: each kind of field honoured, mapped, ignored or refused.

A row stands for a field wherever it occurs (``spec.templates[].container.image``), with how often. Honoured fields do
here what they do on Argo; mapped ones are read into words of ours; ignored ones are accepted and say nothing here;
refused ones stop a submit. Pure; the engine brings its table of fields, the project its rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fubini.manifests.cluster_fields import cluster_field, general_path
from fubini.manifests.import_rules import ImportRules
from fubini.manifests.load import Path
from fubini.manifests.supported import SupportedFields

Verdict = Literal["honoured", "mapped", "ignored", "refused"]
ORDER: tuple[Verdict, ...] = ("refused", "ignored", "mapped", "honoured")

# What any engine of ours reads into other words, by the end of its general path.
_READ_AS = {
    "container.image": "an environment, by each site's table of images",
    "script.image": "an environment, by each site's table of images",
    "containers[].image": "an environment, by each site's table of images",
    "persistentVolumeClaim.claimName": "a dataset, or a shared disk of the site",
    "nodeSelector": "labels of our places",
    "matchExpressions[].key": "labels of our places",
    "artifacts[].s3.key": "a key in the project's own store",
    "podGC": "how long the logs of steps are kept",
    "ttlStrategy": "how long the ended run is kept",
}
# What is accepted because it speaks only of Argo's own housekeeping.
_HOUSEKEEPING = {
    "status": "written by the engine",
    "spec.archiveLogs": "logs are kept, whatever podGC says",
    "spec.volumeClaimGC": "there are no claims to delete",
    "imagePullPolicy": "each site gets its images itself",
    "spec.priority": "fubini.dev/priority says how urgent a step is",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of field: its verdict, how often it stands in the manifest, and what it becomes or why not."""

    verdict: Verdict
    path: str
    count: int
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"verdict": self.verdict, "path": self.path, "count": self.count, "note": self.note}


def explain(document: dict[str, Any], supported: SupportedFields, rules: ImportRules) -> tuple[Row, ...]:
    """All kinds of fields of a manifest, refused ones first, else in the order of the text."""
    counts: dict[tuple[Verdict, str, str], int] = {}
    refused = {path for path, _ in supported.unsupported(document)}
    for path in sorted(refused, key=str):
        field = cluster_field(path)
        if field is not None and field.name in rules.ignored:
            key: tuple[Verdict, str, str] = ("ignored", general_path(path), field.means)
        else:
            why = f"{field.means}; the project's rule 'ignored: [{field.name}]' would let it pass" if field else ""
            key = ("refused", general_path(path), why or "this engine does not honour it")
        counts[key] = counts.get(key, 0) + 1
    for path, value in _leaves(document, refused):
        key = _verdict(path, value, rules)
        counts[key] = counts.get(key, 0) + 1
    rows = [Row(verdict, path, count, note) for (verdict, path, note), count in counts.items()]
    return tuple(sorted(rows, key=lambda r: ORDER.index(r.verdict)))


def _leaves(document: dict[str, Any], refused: set[Path]) -> Iterator[tuple[Path, Any]]:
    """The fields with a plain value or a list of plain values, outside of what is refused."""
    stack: list[tuple[Path, Any]] = [((), document)]
    while stack:
        path, value = stack.pop()
        if path in refused or path == ("apiVersion",) or path == ("kind",):
            continue
        if isinstance(value, dict) and value:
            stack.extend(((*path, key), inner) for key, inner in reversed(value.items()))
        elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            stack.extend(((*path, index), inner) for index, inner in reversed(list(enumerate(value))))
        elif value is not None and value != {} and value != []:
            yield path, value


def _verdict(path: Path, value: Any, rules: ImportRules) -> tuple[Verdict, str, str]:
    text = general_path(path)
    if len(path) > 1 and path[-2] == "nodeSelector":
        ours = rules.label(str(path[-1]), (value,)) if isinstance(value, str) else (str(path[-1]), (str(value),))
        theirs = f"{path[-1]}={value}"
        return "mapped", f"{general_path(path[:-1])}.{path[-1]}", _becomes(theirs, ours)
    if text.endswith("matchExpressions[].key") and isinstance(value, str):
        return "mapped", f"{text} {value}", _becomes(value, rules.label(value, ()))
    if text.endswith(".image") and isinstance(value, str):
        ours_image = rules.image(value)
        if ours_image != value:
            return "mapped", text, f"{value} is read as {ours_image}, by the project's rules"
    for end, note in _HOUSEKEEPING.items():
        if text == end or text.startswith(end + ".") or text.endswith("." + end):
            return "ignored", text, note
    for end, note in _READ_AS.items():
        if text.endswith(end) or f".{end}." in text:
            return "mapped", text, note
    return "honoured", text, ""


def _becomes(theirs: str, ours: tuple[str, tuple[str, ...]] | None) -> str:
    if ours is None:
        return f"{theirs} is dropped, by the project's rules"
    words = ours[0] + ("=" + ",".join(ours[1]) if ours[1] else "")
    return "a label of our places" if words == theirs else f"{theirs} is read as {words}, by the project's rules"
