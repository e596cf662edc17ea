"""A task as the wire's `ExecSpec`: what an agent needs to run it, with short-lived links to the bytes."""

from __future__ import annotations

from collections.abc import Sequence

from fubini.common.options import option
from fubini.datasets.selectors import Resolved
from fubini.datasets.services import blob_url, upload_grant
from fubini.dispatch.inputs import Inputs, inputs_of
from fubini.runs.codec import spec_of
from fubini.runs.engine import ArtifactInput, ContainerSpec, TaskSpec, principal_of
from fubini.runs.models import Attempt
from fubini.sites.models import Agent
from fubini_protocol.v1 import messages as wire

LINK_S = 6 * 3600
GRACE_S = 10.0  # between SIGTERM and SIGKILL where the manifest says nothing


def exec_specs(agent: Agent, attempts: Sequence[Attempt]) -> dict[str, wire.ExecSpec]:
    """The spec of each attempt, by its id."""
    return {a.pk: exec_spec(a, spec_of(a.task.spec)) for a in attempts}


def exec_spec(attempt: Attempt, spec: TaskSpec) -> wire.ExecSpec:
    """What `attempt` runs. Inputs that cannot be found are left without entries: staging reports them as missing."""
    inputs = inputs_of(attempt.project_id, spec) if spec.artifacts_in or spec.volumes else Inputs()
    notes = dict(spec.annotations)
    base, token = ("", "")
    if spec.artifacts_out:
        base, token = upload_grant(
            project_id=attempt.project_id, attempt_id=attempt.pk, fence=attempt.fence, ttl_s=LINK_S
        )
    return wire.ExecSpec(
        run_as=attempt.task.run_as,
        submitted_by=attempt.task.submitted_by,
        project=attempt.project_id,
        run=attempt.run_id,
        display_name=spec.template,
        image=spec.image,
        argv=spec.argv,
        source=spec.source,
        env=spec.env,
        working_dir=spec.working_dir,
        artifacts_in=tuple(_artifact(attempt, a, inputs) for a in spec.artifacts_in),
        artifacts_out=tuple(
            wire.OutputArtifact(name=a.name, path=a.path, optional=a.optional) for a in spec.artifacts_out
        ),
        parameters_out=tuple(
            wire.OutputParameter(name=p.name, path=p.path, default=p.default) for p in spec.parameters_out
        ),
        volumes=tuple(
            wire.Volume(
                name=v.name,
                mount_path=v.mount_path,
                read_only=v.read_only,
                entries=_entries(attempt, inputs.volumes[v.claim, v.sub_path])
                if (v.claim, v.sub_path) in inputs.volumes
                else None,
                disk=disk_id(attempt.run_id, v.disk) if v.disk else "",
                shared=v.claim if v.claim in inputs.shared else "",
                size_bytes=v.size_bytes,
                in_memory=v.in_memory,
                sub_path="" if v.claim and v.claim not in inputs.shared else v.sub_path,
            )
            for v in spec.volumes
        ),
        needs_secrets=bool(spec.secret_env or spec.secret_files or any(c.secret_env for c in spec.containers)),
        secret_mounts=tuple(f.mount_path for f in spec.secret_files),
        capture_result=spec.capture_result,
        exclusive=notes.get("exclusive") == "true",
        cpu_millis=attempt.cpu_millis,
        memory_bytes=spec.resources.memory_bytes,
        disk_bytes=spec.resources.disk_bytes,
        devices=tuple(wire.DeviceCount(name=name, count=count) for name, count in sorted(attempt.devices.items())),
        deadline_s=spec.deadline_s,
        grace_s=GRACE_S if spec.grace_s is None else float(spec.grace_s),
        walltime_s=spec.walltime_s if attempt.placement.get("walltime_given") else None,
        log_max_bytes=option("LOG_MAX_BYTES"),
        upload=wire.BlobAccess(url=base, token=token, expires_in_s=LINK_S) if base else None,
        containers=tuple(_container(c) for c in spec.containers),
        principal=principal_of(spec),
    )


def disk_id(run_id: str, name: str) -> str:
    """What a disk of a run is called on the wire; `runs.selectors.disks_done` takes it apart."""
    return f"{run_id}.{name}"


def _container(container: ContainerSpec) -> wire.Container:
    return wire.Container(
        name=container.name,
        kind=wire.ContainerKind(container.kind.value),
        image=container.image,
        argv=container.argv,
        source=container.source,
        env=container.env,
        working_dir=container.working_dir,
        after=container.dependencies,
        runs=container.runs,
        delay_s=container.delay_ms / 1000,
    )


def _artifact(attempt: Attempt, artifact: ArtifactInput, inputs: Inputs) -> wire.InputArtifact:
    resolved = inputs.artifacts.get(artifact.name)
    return wire.InputArtifact(
        name=artifact.name,
        path=artifact.path,
        mode=artifact.mode,
        raw=artifact.raw,
        entries=_entries(attempt, resolved) if resolved is not None else None,
        # Neither raw nor entries nor absent: the agent reports an input error, the step never runs.
        absent=resolved is None and artifact.raw is None and artifact.optional,
    )


def _entries(attempt: Attempt, resolved: Resolved) -> tuple[wire.Entry, ...]:
    return tuple(
        wire.Entry(
            path=e["path"],
            size=e["size"],
            sha256=e["sha256"],
            mode=e["mode"],
            url=blob_url(project_id=attempt.project_id, digest=e["sha256"], ttl_s=LINK_S),
        )
        for e in resolved.entries
    )
