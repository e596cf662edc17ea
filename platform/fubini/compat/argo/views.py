"""The routes of info and workflows: parse, call, render.

Each class is one address, each method one HTTP method. Answers to what a person does to a run come when the engine has
heard of it (or after `HEARD_WITHIN_S`), because clients go on from the state they are shown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, cast

from django.db import transaction
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from fubini.accounts.authentication import TokenAuthentication
from fubini.common.errors import Conflict, Invalid
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.compat.argo import bodies, reads, shapes
from fubini.compat.argo.codes import AlreadyExists, Unimplemented, error_reply
from fubini.compat.argo.selection import Fields, wanted_of
from fubini.events.models import Event
from fubini.flags.registry import ARGO_DOOR
from fubini.flags.services import flag_require
from fubini.manifests.crons import workflow_of
from fubini.pipelines.checking import manifest_report, report_require
from fubini.pipelines.selectors import library_of
from fubini.projects.authorize import project_get
from fubini.projects.models import Project
from fubini.rest.errors import as_fubini
from fubini.rest.limits import json_read
from fubini.rest.problems import Internal
from fubini.runs import services
from fubini.runs.engine import SignalKind
from fubini.runs.models import Run, RunSignal
from fubini.runs.signals import run_signal

HEARD_WITHIN_S: Final = 5.0
POLL_S: Final = 0.05
SETTABLE: Final = ("Succeeded", "Failed", "Error")
VERSION: Final = "v4.1.2"  # of the API that is spoken here


class ArgoView(APIView):
    """An address of the Argo door: bearer tokens, JSON whatever its content type says, errors as grpc-gateway has them."""

    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)
    schema = None  # described by Argo's own document

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        flag_require(ARGO_DOOR)

    @property
    def principal(self) -> Principal:
        return cast("Principal", self.request.auth)

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    def body(self) -> dict[str, Any]:
        """The request's object; empty where nothing was sent."""
        text = self.request._request.body
        found = json_read(text) if text.strip() else {}
        if not isinstance(found, dict):
            raise Invalid("The body is a JSON object.")
        return found

    def handle_exception(self, exc: Exception) -> Response:
        error = as_fubini(exc)
        if isinstance(error, Internal):
            # The platform's own handler logs it under the request's id.
            self.get_exception_handler()(exc, self.get_exception_handler_context())
        set_rollback()
        body, status, headers = error_reply(error)
        return Response(body, status=status, headers=headers)


class InfoView(ArgoView):
    def get(self, request: Request) -> Response:
        return Response({"modals": {"feedback": False, "firstTimeUser": False, "newVersion": False}, "links": []})


class VersionView(ArgoView):
    def get(self, request: Request) -> Response:
        return Response(
            {"version": VERSION, "gitTag": VERSION, "gitTreeState": "clean", "gitCommit": "", "buildDate": "",
             "goVersion": "", "compiler": "fubini", "platform": "fubini"}
        )  # fmt: skip


class UserInfoView(ArgoView):
    def get(self, request: Request) -> Response:
        user = self.principal.user
        email = getattr(user, "email", "") if user is not None else ""
        return Response(
            {
                "subject": self.principal.actor,
                "name": str(user or ""),
                "email": email,
                "groups": sorted(self.principal.scopes),
            }
        )


class MissingView(ArgoView):
    """Routes of Argo Server that have nothing behind them here."""

    def _refuse(self, request: Request, **_: Any) -> Response:
        raise Unimplemented(
            say("Fubini does not serve {path}.", path=request.path),
            next_step="The documentation of the Argo door lists what is served; the rest is under /api/v1 of Fubini's own REST.",
        )

    get = post = put = delete = _refuse


class WorkflowsView(ArgoView):
    """``workflows/{namespace}``."""

    def get(self, request: Request, namespace: str = "") -> Response:
        wanted, fields = wanted_of(self.query), Fields(self.query.get("fields") or "")
        rows = reads.runs_selected(self.principal, namespace, wanted)
        return Response(workflow_list(rows, wanted, fields))

    def post(self, request: Request, namespace: str) -> Response:
        project = project_get(self.principal, namespace, "run.submit")
        body = self.body()
        manifest = bodies.manifest_in(body, "workflow", "Workflow", namespaces=(project.slug, project.pk))
        if bodies.is_dry_run(body):
            return Response(checked(project, manifest))
        return Response(workflow_submit(project, manifest, self.principal.actor))


class WorkflowLintView(ArgoView):
    """``workflows/{namespace}/lint``."""

    def post(self, request: Request, namespace: str) -> Response:
        project = project_get(self.principal, namespace, "lint.read")
        manifest = bodies.manifest_in(self.body(), "workflow", "Workflow", namespaces=(project.slug, project.pk))
        return Response(checked(project, manifest))


class WorkflowSubmitView(ArgoView):
    """``workflows/{namespace}/submit``: a run of a template or of a schedule, now."""

    def post(self, request: Request, namespace: str) -> Response:
        project = project_get(self.principal, namespace, "run.submit")
        body = self.body()
        kind, name = str(body.get("resourceKind") or "").lower(), str(body.get("resourceName") or "")
        manifest, parameters = bodies.submitted(
            _resource(self.principal, project, kind, name), body.get("submitOptions") or {}
        )
        options = body.get("submitOptions") or {}
        if options.get("dryRun") or options.get("serverDryRun"):
            return Response(checked(project, manifest, parameters))
        return Response(workflow_submit(project, manifest, self.principal.actor, parameters))


class WorkflowView(ArgoView):
    """``workflows/{namespace}/{name}``."""

    def get(self, request: Request, namespace: str, name: str) -> Response:
        fields = Fields(self.query.get("fields") or "")
        run = reads.run_named(self.principal, namespace, name, uid=self.query.get("uid") or "")
        found = reads.workflow_read(run, with_nodes=not fields.leaves_out("status.nodes"))
        return Response(fields.clean(found))

    def delete(self, request: Request, namespace: str, name: str) -> Response:
        """A run that goes on is ended and forgotten, as Argo does it."""
        run = reads.run_named(self.principal, namespace, name, "run.delete")
        services.run_delete(run=run, actor=self.principal.actor, cancel=True)
        return Response({})


class WorkflowActionView(ArgoView):
    """``workflows/{namespace}/{name}/<action>``; `action` comes from the route."""

    action: str = ""

    def put(self, request: Request, namespace: str, name: str) -> Response:
        rights = {"stop": "run.cancel", "terminate": "run.cancel", "resubmit": "run.resubmit"}
        run = reads.run_named(self.principal, namespace, name, rights.get(self.action, "run.signal"))
        return Response(act(run, self.action, self.body(), self.principal.actor))


def workflow_list(rows: Any, wanted: Any, fields: Fields) -> dict[str, Any]:
    """One page of runs as a WorkflowList."""
    page = rows.select_related("project").prefetch_related("labels").defer("engine_state", "quote")
    runs = list(page[wanted.offset : wanted.offset + wanted.limit + 1])
    more = len(runs) > wanted.limit
    runs = runs[: wanted.limit]
    metadata: dict[str, Any] = {"resourceVersion": "0"}
    if more:
        metadata["continue"] = str(wanted.offset + len(runs))
    if wanted.count_rest:
        metadata["remainingItemCount"] = max(0, rows.count() - wanted.offset - len(runs))
    items = reads.workflows_read(runs, with_nodes=not fields.leaves_out("items.status.nodes"))
    return fields.clean(
        {"apiVersion": shapes.API_VERSION, "kind": "WorkflowList", "metadata": metadata, "items": items}
    )


def checked(
    project: Project, manifest: dict[str, Any], parameters: Mapping[str, str] | None = None, *, stored: bool = False
) -> dict[str, Any]:
    """The manifest, once it has passed the check.

    Args:
        stored: a definition that is only kept: its parameters need not have values yet.

    Raises:
        ManifestInvalid: with every finding.
    """
    given = None if stored else dict(parameters or {})
    report = manifest_report(
        bodies.text_of(manifest),
        library=library_of(project.pk),
        parameters=given,
        import_rules=project.import_rules,
        max_items=project.max_items,
        project_id=None if stored else project.pk,
    )
    report_require(report, cron=manifest["kind"] == "CronWorkflow")
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": project.slug}}


@transaction.atomic
def workflow_submit(
    project: Project, manifest: dict[str, Any], actor: str, parameters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Submit, with Argo's rule that a name is taken once.

    Raises:
        AlreadyExists: the project has a run of the manifest's name.
    """
    name = manifest["metadata"].get("name")
    if name:
        Project.objects.select_for_update().get(pk=project.pk)  # two creates of one name come one after the other
        if Run.objects.filter(project=project, name=str(name)[:200], deleted_at_ms=None).exists():
            raise AlreadyExists(
                say('workflows.argoproj.io "{name}" already exists', name=name),
                next_step="Use metadata.generateName, or delete that workflow.",
            )
    run = services.run_submit(
        project=project,
        text=bodies.text_of(manifest),
        actor=actor,
        parameters=parameters,
        library=library_of(project.pk),
    )
    return reads.workflow_read(run)


def act(run: Run, action: str, body: Mapping[str, Any], actor: str) -> dict[str, Any]:
    """Do what a person asks of a run, and show the run as it stands after it."""
    if action == "resubmit":
        made = services.run_resubmit(
            run=run,
            actor=actor,
            parameters=bodies.pairs(body.get("parameters"), "parameters"),
            memoized=bool(body.get("memoized")),
        )
        return reads.workflow_read(made)
    kind, payload = _signal(action, body)
    signal = run_signal(run=run, kind=kind, actor=actor, payload={k: v for k, v in payload.items() if v})
    _await(signal)
    return reads.workflow_read(Run.objects.select_related("project").prefetch_related("labels").get(pk=run.pk))


def _signal(action: str, body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Argo's request as a signal of ours."""
    selector = str(body.get("nodeFieldSelector") or "")
    message = str(body.get("message") or "")
    if action == "retry":
        return SignalKind.RETRY.value, {
            "selector": selector,
            "restart_successful": bool(body.get("restartSuccessful")),
            "parameters": bodies.pairs(body.get("parameters"), "parameters"),
        }
    if action == "set":
        return _set(selector, message, body)
    if action == "stop":
        return SignalKind.STOP.value, {"selector": selector, "message": message}
    return SignalKind(action).value, {"selector": selector} if action == "resume" else {}


def _set(selector: str, message: str, body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """`set` of suspend nodes: outputs, a message or a phase; without a phase they go on waiting."""
    phase = str(body.get("phase") or "")
    given = body.get("outputParameters") or ""
    outputs = json_read(str(given).encode()) if given else {}
    if not isinstance(outputs, dict):
        raise Invalid("outputParameters is a JSON object of names and values, as text.")
    values = {str(name): value if isinstance(value, str) else bodies.text_of(value) for name, value in outputs.items()}
    if not selector:
        raise Invalid(
            "nodeFieldSelector names the suspended nodes to set.", next_step="For example displayName=approve."
        )
    if phase not in ("", *SETTABLE):
        raise Invalid(say("{phase} is an invalid phase to set to", phase=phase[:40]), allowed=list(SETTABLE))
    return SignalKind.SET.value, {"selector": selector, "outputs": values, "message": message, "phase": phase}


def _await(signal: RunSignal) -> None:
    """Until the engine has heard the signal, for a while.

    Raises:
        Conflict: the engine refused it.
    """
    until = time.monotonic() + HEARD_WITHIN_S
    while time.monotonic() < until:
        heard = RunSignal.objects.filter(pk=signal.pk).values_list("handled_at_ms", flat=True).first()
        if heard is not None:
            said = Event.objects.of_runs([signal.run_id]).filter(
                of_kind__kind="run.signal_refused", at_ms__gte=signal.at_ms, at_ms__lte=heard
            )
            refused = said.order_by("-id").first()
            if refused is not None:
                raise Conflict(str(refused.data.get("reason") or "the engine refused it"))
            return
        time.sleep(POLL_S)


def _resource(principal: Principal, project: Project, kind: str, name: str) -> dict[str, Any]:
    """The Workflow that running a stored object makes, with Argo's labels."""
    if kind in ("cronworkflow", "cronworkflows", "cwf", "cronwf"):
        return workflow_of(reads.cron_named(principal, project.slug, name).document)
    label, cluster = "workflows.argoproj.io/workflow-template", False
    if kind in ("clusterworkflowtemplate", "clusterworkflowtemplates", "cwft", "clusterwftmpl"):
        label, cluster = "workflows.argoproj.io/cluster-workflow-template", True
    elif kind not in ("workflowtemplate", "workflowtemplates", "wftmpl"):
        raise Invalid(
            say("resourceKind {kind!r} cannot be submitted.", kind=kind[:60]),
            allowed=["WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"],
        )
    reads.template_named(project, "ClusterWorkflowTemplate" if cluster else "WorkflowTemplate", name)
    reference: dict[str, Any] = {"name": name, **({"clusterScope": True} if cluster else {})}
    return {
        "apiVersion": shapes.API_VERSION,
        "kind": "Workflow",
        "metadata": {"generateName": f"{name}-", "labels": {label: name}},
        "spec": {"workflowTemplateRef": reference},
    }


__all__ = ["ArgoView", "act", "checked", "workflow_list"]
