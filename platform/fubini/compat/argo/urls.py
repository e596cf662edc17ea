"""Addresses of the Argo door, at the server's root, as Argo Server has them.

Clients put these paths behind the host they are given, so they share `/api/v1/` with our own REST; `WORDS` are the first
words that are theirs, and no route of ours begins with one (a test holds both lists apart).
"""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from fubini.compat.argo import archive, objects, streams, views

WORDS = (
    "info", "version", "userinfo", "workflows", "workflow-events", "workflow-templates", "cluster-workflow-templates",
    "cron-workflows", "archived-workflows", "archived-workflows-label-keys", "archived-workflows-label-values",
    "event-sources", "sensors", "stream", "sync", "tracking", "workflow-event-bindings",
)  # fmt: skip
_ACTIONS = ("retry", "resubmit", "resume", "suspend", "stop", "terminate", "set")
_API = "api/v1/"


def _templates(word: str, namespace: str, kind: str) -> list[URLPattern]:
    base = f"{_API}{word}{namespace}"
    made = [
        path(base, objects.TemplatesView.as_view(kind=kind)),
        path(f"{base}/lint", objects.TemplateLintView.as_view(kind=kind)),
        path(f"{base}/", objects.TemplateView.as_view(kind=kind)),
        path(f"{base}/<str:name>", objects.TemplateView.as_view(kind=kind)),
    ]
    return [path(f"{_API}{word}/", made[0].callback), *made] if namespace else made


_RUN = f"{_API}workflows/<str:namespace>/<str:name>"
_CRON = f"{_API}cron-workflows/<str:namespace>"
_FILES = "<str:node>/<str:artifact>"
_BY = "artifact-files/<str:namespace>/<str:by>/<str:name>/<str:node>/<str:which>/<str:artifact>"

urlpatterns = [
    path(f"{_API}info", views.InfoView.as_view()),
    path(f"{_API}version", views.VersionView.as_view()),
    path(f"{_API}userinfo", views.UserInfoView.as_view()),
    path(f"{_API}workflows/", views.WorkflowsView.as_view()),
    path(f"{_API}workflows/<str:namespace>", views.WorkflowsView.as_view()),
    path(f"{_API}workflows/<str:namespace>/lint", views.WorkflowLintView.as_view()),
    path(f"{_API}workflows/<str:namespace>/submit", views.WorkflowSubmitView.as_view()),
    path(_RUN, views.WorkflowView.as_view()),
    *[path(f"{_RUN}/{action}", views.WorkflowActionView.as_view(action=action)) for action in _ACTIONS],
    path(f"{_RUN}/log", streams.workflow_logs),
    path(f"{_RUN}//log", streams.workflow_logs),  # a pod's log without a pod
    path(f"{_RUN}/<str:pod>/log", streams.workflow_logs),
    path(f"{_API}workflow-events/", streams.workflow_events),
    path(f"{_API}workflow-events/<str:namespace>", streams.workflow_events),
    *_templates("workflow-templates", "/<str:namespace>", "WorkflowTemplate"),
    *_templates("cluster-workflow-templates", "", "ClusterWorkflowTemplate"),
    path(f"{_API}cron-workflows/", objects.CronsView.as_view()),
    path(_CRON, objects.CronsView.as_view()),
    path(f"{_CRON}/lint", objects.CronLintView.as_view()),
    path(f"{_CRON}/", objects.CronView.as_view()),
    path(f"{_CRON}/<str:name>", objects.CronView.as_view()),
    path(f"{_CRON}/<str:name>/suspend", objects.CronActionView.as_view(suspended=True)),
    path(f"{_CRON}/<str:name>/resume", objects.CronActionView.as_view(suspended=False)),
    path(f"{_API}archived-workflows", archive.ArchivedView.as_view()),
    path(f"{_API}archived-workflows-label-keys", archive.ArchivedLabelsView.as_view()),
    path(f"{_API}archived-workflows-label-values", archive.ArchivedLabelsView.as_view(values=True)),
    path(f"{_API}archived-workflows/<str:uid>", archive.ArchivedOneView.as_view()),
    path(f"{_API}archived-workflows/<str:uid>/retry", archive.ArchivedActionView.as_view(action="retry")),
    path(f"{_API}archived-workflows/<str:uid>/resubmit", archive.ArchivedActionView.as_view(action="resubmit")),
    path(f"artifacts/<str:namespace>/<str:name>/{_FILES}", archive.ArtifactView.as_view()),
    path(f"artifacts-by-uid/<str:uid>/{_FILES}", archive.ArtifactView.as_view()),
    path(f"input-artifacts/<str:namespace>/<str:name>/{_FILES}", archive.ArtifactView.as_view(inputs=True)),
    path(f"input-artifacts-by-uid/<str:uid>/{_FILES}", archive.ArtifactView.as_view(inputs=True)),
    path(_BY, archive.ArtifactView.as_view()),
    path(f"{_BY}/<path:path>", archive.ArtifactView.as_view()),
    re_path(rf"^{_API}(?:{'|'.join(WORDS)})(?:/|$)", views.MissingView.as_view()),
]
