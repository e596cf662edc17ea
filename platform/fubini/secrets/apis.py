"""REST: a project's secrets, write-only, and their keys' rotation for administrators."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from fubini.projects.authorize import authorize_admin, project_get
from fubini.rest.views import ApiViews, operation
from fubini.secrets import serializers as s
from fubini.secrets import services
from fubini.secrets.errors import SecretNotFound
from fubini.secrets.selectors import secrets_of


class Secrets(ApiViews):
    @operation("List a project's secrets: names and keys, never values.", reply=s.SecretOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        return self.page(secrets_of(project_get(self.principal, ref, "secret.read").pk), ("name", "id"))

    @operation("One secret: its keys, never its values.", reply=s.SecretOut)
    def retrieve(self, request: Request, ref: str, name: str) -> Response:
        project = project_get(self.principal, ref, "secret.read")
        found = secrets_of(project.pk).filter(name=name).first()
        if found is None:
            raise SecretNotFound("The project has no such secret.", next_step="List them: fubini secret list.")
        return self.reply(found)

    @operation("Set keys of a secret; it is made if it is new.", body=s.SecretSet, reply=s.SecretOut)
    def put(self, request: Request, ref: str, name: str) -> Response:
        project = project_get(self.principal, ref, "secret.write")
        values = self.body["secret_values"]
        services.secret_set(project=project, name=name, values=values, actor=self.principal.actor)
        return self.reply(secrets_of(project.pk).get(name=name))

    @operation("Delete a secret with all its keys.", status=204)
    def destroy(self, request: Request, ref: str, name: str) -> Response:
        project = project_get(self.principal, ref, "secret.write")
        services.secret_delete(project=project, name=name, actor=self.principal.actor)
        return self.reply()

    @operation("Delete one key of a secret.", status=204, operation_id="projects_secrets_keys_destroy")
    def destroy_key(self, request: Request, ref: str, name: str, key: str) -> Response:
        project = project_get(self.principal, ref, "secret.write")
        services.secret_delete(project=project, name=name, key=key, actor=self.principal.actor)
        return self.reply()


class SecretKeys(ApiViews):
    @operation(
        "Encrypt all stored secrets with a new key (administrators).", body=s.SecretsRotate, reply=s.SecretsRotated
    )
    def rotate(self, request: Request) -> Response:
        authorize_admin(self.principal)
        new_key = self.body.get("new_key", True)
        values, dropped = services.secrets_rotate(actor=self.principal.actor, new_key=new_key)
        return self.reply({"values": values, "dropped_keys": dropped})
