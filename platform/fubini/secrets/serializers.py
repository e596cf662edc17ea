"""Shapes of secrets at the REST border: values go in and never come out."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fubini.common.saying import say, told
from fubini.rest.serializers import BodySerializer, ReplySerializer
from fubini.secrets.services import KEYS_MAX, VALUE_MAX_BYTES

ENCODINGS = ("utf-8", "base64")


class SecretKeyOut(ReplySerializer):
    key = serializers.CharField()
    version = serializers.IntegerField(help_text="Rises each time the value is set.")
    updated_at = serializers.DateTimeField()
    updated_by = serializers.CharField()


class SecretOut(ReplySerializer):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    last_used_at = serializers.DateTimeField(
        allow_null=True, help_text="When a step or a fetch was last given it, to the minute; null: never."
    )
    keys = serializers.SerializerMethodField(help_text="What it has, by key; never the values.")

    @extend_schema_field(SecretKeyOut(many=True))
    def get_keys(self, row: Any) -> list[dict[str, Any]]:
        found = sorted(row.keys.all(), key=lambda k: k.key)
        return [dict(SecretKeyOut(k).data) for k in found]


class SecretSet(BodySerializer):
    # Its name is one of those whose content no error repeats (see `rest.serializers`).
    secret_values = serializers.DictField(
        child=serializers.CharField(trim_whitespace=False, allow_blank=True, max_length=VALUE_MAX_BYTES * 2),
        help_text="Key -> value. Keys that are not named stay as they are.",
    )
    encoding = serializers.ChoiceField(
        choices=ENCODINGS, required=False, help_text="How the values are written; base64 for bytes that are not text."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        values = attrs.get("secret_values") or {}
        if not 1 <= len(values) <= KEYS_MAX:
            raise serializers.ValidationError(
                {"secret_values": told(say("Give 1 to {keys_max} keys.", keys_max=KEYS_MAX))}
            )
        attrs["secret_values"] = {key: _bytes(value, attrs.get("encoding", "utf-8")) for key, value in values.items()}
        return attrs


def _bytes(text: str, encoding: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if encoding == "base64" else text.encode("utf-8")
    except (binascii.Error, ValueError):
        raise serializers.ValidationError(
            {"secret_values": told(say("A value is not {encoding}.", encoding=encoding))}
        ) from None


class SecretsRotate(BodySerializer):
    new_key = serializers.BooleanField(
        required=False,
        help_text="Make a new key in the state folder first (default); false when keys come from settings.",
    )


class SecretsRotated(ReplySerializer):
    values = serializers.IntegerField(help_text="Stored values that are now under the newest key.")
    dropped_keys = serializers.IntegerField(help_text="Old keys that were removed from the state folder.")
