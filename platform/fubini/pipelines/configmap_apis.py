"""A project's ConfigMaps over REST."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import NotFound
from fubini.common.saying import say
from fubini.pipelines import configmaps
from fubini.pipelines.models import ConfigMap
from fubini.pipelines.selectors import config_maps_of
from fubini.pipelines.serializers import Texts
from fubini.projects.authorize import project_get
from fubini.rest.serializers import BodySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation

KEYS_MAX = 1000


class ConfigMapSet(BodySerializer):
    values = Texts(most=KEYS_MAX, value_max=configmaps.DATA_MAX_BYTES, required=False, help_text="Keys to set.")
    remove = serializers.ListField(child=serializers.CharField(max_length=253), max_length=KEYS_MAX, required=False)
    labels = Texts(
        most=configmaps.LABELS_MAX,
        value_max=configmaps.LABEL_VALUE_MAX,
        required=False,
        help_text="All labels. A new map without any gets the one that Argo asks of maps for parameters.",
    )
    replace = serializers.BooleanField(default=False, help_text="`values` is all there is afterwards.")


class ConfigMapOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    labels = serializers.DictField(child=serializers.CharField())
    keys = serializers.SerializerMethodField()
    created_at_ms = serializers.IntegerField()
    changed_at_ms = serializers.IntegerField()
    changed_by = serializers.CharField()

    def get_keys(self, row: ConfigMap) -> list[str]:
        return sorted(row.data)


class ConfigMapWhole(ConfigMapOut):
    values = serializers.DictField(child=serializers.CharField(), source="data")


class ConfigMapViews(ApiViews):
    """``/projects/{ref}/configs``."""

    @operation("List a project's ConfigMaps.", reply=ConfigMapOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        return self.page(config_maps_of([project_get(self.principal, ref, "config.read").pk]), ("name", "id"))

    @operation("One ConfigMap with its values.", reply=ConfigMapWhole)
    def retrieve(self, request: Request, ref: str, name: str) -> Response:
        row = _config_map(project_get(self.principal, ref, "config.read").pk, name)
        return self.reply(row, etag=row)

    @operation(
        "Set values of a ConfigMap; it is made if it is new.",
        body=ConfigMapSet,
        reply=ConfigMapWhole,
        raw_reply={200: ConfigMapWhole, 201: ConfigMapWhole},
        if_match=True,
    )
    def put(self, request: Request, ref: str, name: str) -> Response:
        """Semaphores whose size stands in it follow within a second; runs keep the values they were submitted with.
        `If-Match` is optional here."""
        project = project_get(self.principal, ref, "config.write")
        before = config_maps_of([project.pk]).filter(name=name).first()
        version = self.match(before, required=False) if before is not None else None
        body = self.body
        row, made = configmaps.config_map_set(
            project=project,
            name=name,
            actor=self.principal.actor,
            data=body.get("values"),
            remove=body.get("remove", ()),
            labels=body.get("labels"),
            replace=body["replace"],
            version=version,
        )
        return self.reply(row, status=201 if made else 200, etag=row)

    @operation("Delete a ConfigMap.", status=204)
    def destroy(self, request: Request, ref: str, name: str) -> Response:
        """Runs keep the values they were submitted with, semaphores that are held or waited for their size."""
        project = project_get(self.principal, ref, "config.write")
        configmaps.config_map_delete(project=project, name=name, actor=self.principal.actor)
        return self.reply()


def _config_map(project_id: str, name: str) -> ConfigMap:
    row = config_maps_of([project_id]).filter(name=name).first()
    if row is None:
        raise NotFound(
            say(
                "The project has no ConfigMap {name!r}.",
                name=name[:80],
            ),
            next_step="List them: fubini config list.",
        )
    return row
