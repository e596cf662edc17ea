"""An answer as RO-Crate metadata of the Process Run Crate profile (Workflow Run RO-Crate collection). Pure.

One `CreateAction` a step that really ran, with what it read as `object`, what it left as `result`, its container image, who
submitted it and when. A step whose result was taken over ran nothing: what it left is a result of the action that ran. The
crate is metadata alone: files stand in it by address and SHA-256, not by their bytes. What was recorded is told and nothing
else: an image has a digest only where its name has one, and the fingerprint of the environment it meant is said as that.

Source: https://w3id.org/ro/wfrun/process/0.5 and https://w3id.org/ro/crate/1.1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from fubini.runs.origin.facts import DataFacts, RunFacts
from fubini.runs.origin.selectors import Origin, Place

FILE_NAME: Final = "ro-crate-metadata.json"
CRATE: Final = "https://w3id.org/ro/crate/1.1"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
TERMS: Final = "https://w3id.org/ro/terms/workflow-run/context"

Entity = dict[str, Any]


def crate_of(origin: Origin, *, base_url: str, at_ms: int) -> Entity:
    """The document.

    Args:
        base_url: of the platform, without a slash at its end; files are named by addresses below it.
        at_ms: when it is written.
    """
    return _Crate(origin, base_url).document(at_ms)


class _Crate:
    def __init__(self, origin: Origin, base_url: str) -> None:
        self.origin = origin
        self.base = base_url
        self.places = {p.id: p for p in origin.places}
        self.runs = {r.id: r for r in origin.runs}
        self.entities: dict[str, Entity] = {}
        self.incoming: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.outgoing: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for link in origin.links:
            self.incoming[link.target].append((link.how, link.source))
            self.outgoing[link.source].append((link.how, link.target))

    def document(self, at_ms: int) -> Entity:
        data = [self._data(p) for p in self.origin.places if p.kind in ("artifact", "dataset")]
        actions = [self._action(p) for p in self.origin.places if p.kind == "step" and self._ran(p)]
        start = self.places[self.origin.start]
        root: Entity = {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Where {start.name} comes from and what was made of it",
            "description": "Written by Fubini from its records of runs. Files are named by address and SHA-256."
            + (" Not all steps are in it: the look had a limit." if any(p.more for p in self.origin.places) else ""),
            "datePublished": _time(at_ms),
            "license": "Not stated: that of the data is not known to the platform that wrote this.",
            "conformsTo": {"@id": PROFILE},
            "hasPart": [_ref(e) for e in data if e["@type"] in ("File", "Dataset")],
            "mentions": [_ref(e) for e in actions],
        }
        head: list[Entity] = [
            {"@id": FILE_NAME, "@type": "CreativeWork", "conformsTo": {"@id": CRATE}, "about": {"@id": "./"}},
            root,
            {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        ]
        return {"@context": [f"{CRATE}/context", TERMS], "@graph": [*head, *self.entities.values()]}

    def _keep(self, entity: Entity) -> Entity:
        return self.entities.setdefault(entity["@id"], {k: v for k, v in entity.items() if v not in (None, "", [], {})})

    # --- data ---

    def _data(self, place: Place) -> Entity:
        facts = place.data
        assert facts is not None, "an artifact or a dataset version has facts"
        based = [self._id(self.places[p]) for how, p in self.incoming[place.id] if how == "kept" and p in self.places]
        entity: Entity = {
            "@id": self._id(place),
            "@type": "CreativeWork" if facts.gone else "File" if facts.file else "Dataset",
            "name": place.name,
            "description": "The record of it was cleared." if facts.gone else "",
            "dateCreated": _time(place.at_ms),
            "identifier": facts.key,
            "contentSize": str(facts.size_bytes) if not facts.gone else "",
            "sha256": facts.file.sha256 if facts.file else "",
            "isBasedOn": [{"@id": i} for i in based],
        }
        if facts.number is not None:
            entity |= {"version": str(facts.number), "author": _ref(self._agent(facts.made_by)) if facts.made_by else None}
        if facts.fetched and facts.fetched.get("address"):
            entity["isBasedOn"].append(str(facts.fetched["address"]))
        if not facts.file and not facts.gone:
            entity["additionalProperty"] = [_ref(self._property(entity["@id"], "digest of the list of files", facts.digest))]
        return self._keep(entity)

    def _id(self, place: Place) -> str:
        facts = place.data
        assert facts is not None, "only data has an address"
        if facts.gone:
            return f"#gone-{quote(facts.key, safe='')}"
        base = self._address(facts)
        return f"{base}/content?path={quote(facts.file.path)}" if facts.file else f"{base}/files"

    def _address(self, facts: DataFacts) -> str:
        if facts.number is not None:
            return f"{self.base}/api/v1/datasets/{facts.dataset}/versions/{facts.number}"
        return f"{self.base}/api/v1/artifacts/" + "/".join(quote(part, safe="") for part in facts.key.split("/", 3))

    # --- steps ---

    def _ran(self, place: Place) -> bool:
        """Did it run itself, or is what it was taken over from not in the answer?"""
        return not any(how == "taken_over" and source in self.places for how, source in self.incoming[place.id])

    def _action(self, place: Place) -> Entity:
        step = place.step
        assert step is not None, "a step has facts"
        attempt, run = step.attempt, self.runs.get(place.run)
        identity = f"#step-{step.task}"
        notes = {"site": attempt.site, "pool": attempt.pool, "host": attempt.hostname, "hardware": attempt.hardware,
                 "environment fingerprint": attempt.fingerprint} if attempt else {}  # fmt: skip
        values = [self._property(identity, name, value) for name, value in step.parameters.items()]
        ended = {"succeeded": "Completed", "failed": "Failed", "cancelled": "Failed"}.get(step.state, "Active")
        return self._keep(
            {
                "@id": identity,
                "@type": "CreateAction",
                "name": f"{place.name} of run {run.name}" if run else place.name,
                "description": f"Step {place.name}, job {run.job_number}" if run else "",
                "startTime": _time(attempt.started_at_ms if attempt else None),
                "endTime": _time(attempt.finished_at_ms if attempt and attempt.finished_at_ms else place.at_ms),
                "actionStatus": f"http://schema.org/{ended}ActionStatus",
                "agent": _ref(self._agent(run.submitted_by)) if run else None,
                "instrument": _ref(self._instrument(step.template, step.kind, run)),
                "containerImage": _ref(self._image(step.image)) if step.image else None,
                "object": [_ref(self._data(self.places[p])) for p in self._sources(place)] + [_ref(v) for v in values],
                "result": [_ref(self._data(self.places[p])) for p in self._results(place.id)],
                "additionalProperty": [_ref(self._property(identity, n, v, "where")) for n, v in notes.items() if v],
            }
        )

    def _sources(self, place: Place) -> list[str]:
        return sorted({p for how, p in self.incoming[place.id] if how == "read" and p in self.places})

    def _results(self, place: str) -> list[str]:
        """What it left, and what steps left that took its result over."""
        found: dict[str, None] = {}
        open_steps = [place]
        while open_steps:
            for how, target in self.outgoing[open_steps.pop()]:
                if target not in self.places or target in found:
                    continue
                if how == "left":
                    found[target] = None
                elif how == "taken_over":
                    open_steps.append(target)
        return sorted(found)

    def _instrument(self, template: str, kind: str, run: RunFacts | None) -> Entity:
        manifest = self._manifest(run) if run else None
        return self._keep(
            {
                "@id": f"#template-{quote(template)}-{run.manifest_sha256[:16] if run else 'unknown'}",
                "@type": "SoftwareApplication",
                "name": template or kind,
                "isPartOf": _ref(manifest) if manifest else None,
            }
        )

    def _manifest(self, run: RunFacts) -> Entity:
        named = f"{run.pipeline} version {run.pipeline_version}" if run.pipeline else "the manifest of the run"
        return self._keep(
            {
                "@id": f"#manifest-{run.manifest_sha256}",
                "@type": "SoftwareSourceCode",
                "name": named,
                "programmingLanguage": "Argo Workflows",
                "version": str(run.pipeline_version or ""),
                "sha256": run.manifest_sha256,
                "url": f"{self.base}/api/v1/runs/{run.id}/manifest",
            }
        )

    def _image(self, image: str) -> Entity:
        name, _, digest = image.partition("@sha256:")
        registry, slash, rest = name.partition("/")
        if not slash or not ("." in registry or ":" in registry or registry == "localhost"):
            registry, rest = "", name
        path, _, tag = rest.partition(":")
        return self._keep(
            {
                "@id": f"#image-{quote(image, safe='')}",
                "@type": "ContainerImage",
                "additionalType": {"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"},
                "registry": registry,
                "name": path,
                "tag": tag,
                "sha256": digest,
            }
        )

    def _agent(self, actor: str) -> Entity:
        kind, _, name = actor.rpartition(":")
        person = kind in ("user", "")
        return self._keep(
            {"@id": f"#{quote(actor, safe='')}", "@type": "Person" if person else "Organization", "name": name or actor}
        )

    def _property(self, owner: str, name: str, value: str, what: str = "value") -> Entity:
        of = owner.removeprefix("#")
        return self._keep(
            {"@id": f"#{quote(of, safe='')}-{what}-{quote(name, safe='')}", "@type": "PropertyValue", "name": name, "value": value}
        )


def _ref(entity: Mapping[str, Any]) -> Entity:
    return {"@id": entity["@id"]}


def _time(ms: int | None) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds") if ms is not None else ""
