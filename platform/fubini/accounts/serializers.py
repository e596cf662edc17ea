"""Shapes of people and tokens at the REST border."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from rest_framework import serializers

from fubini.common.principal import SCOPES
from fubini.common.saying import say, told
from fubini.common.seeded import SEEDED
from fubini.rest.serializers import BodySerializer, FirstPageOut, KnownField, QuerySerializer, ReplySerializer

CREDENTIAL_MAX_CHARS = 32_768


class CredentialField(serializers.DictField):
    """What `PublicKeyCredential.toJSON()` gives; read by the passkey library alone."""

    def to_internal_value(self, data: Any) -> Any:
        if len(json.dumps(data)) > CREDENTIAL_MAX_CHARS:
            raise serializers.ValidationError(told(say("Longer than {most} characters.", most=CREDENTIAL_MAX_CHARS)))
        return data


class LoginBody(BodySerializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    code = serializers.CharField(
        max_length=40, default="", allow_blank=True, write_only=True,
        help_text="Of an authenticator app, or a recovery code, where the account has a second factor.",
    )  # fmt: skip

    passkey = CredentialField(
        default=None, allow_null=True, write_only=True,
        help_text="Instead of a code: `toJSON()` of what the account's passkey answered to `login/passkey/options`.",
    )  # fmt: skip


class ProviderOut(ReplySerializer):
    name = serializers.CharField()
    url = serializers.CharField(
        help_text="POST a form with `csrfmiddlewaretoken` there; it leads to the provider and back."
    )


class CsrfOut(ReplySerializer):
    csrf_token = serializers.CharField(help_text="Send it in `X-CSRFToken` with whatever changes something.")
    signed_in = serializers.BooleanField()
    provider = ProviderOut(allow_null=True, help_text="An identity provider to sign in with, if one is set up.")
    passkey_origins = serializers.ListField(
        child=serializers.CharField(), help_text="Addresses of this installation at which passkeys work; none: nowhere."
    )


class UserOut(ReplySerializer):
    id = serializers.CharField()
    username = serializers.CharField()
    email = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    language = serializers.CharField()
    is_admin = serializers.BooleanField(source="is_staff")
    is_active = serializers.BooleanField()
    date_joined = serializers.DateTimeField()
    last_login = serializers.DateTimeField(allow_null=True)


class MembershipOut(ReplySerializer):
    project = serializers.CharField(help_text="The project's slug.")
    project_id = serializers.CharField()
    role = serializers.CharField()


class MeOut(ReplySerializer):
    actor = serializers.CharField()
    user = UserOut(allow_null=True, help_text="Null for a project's machine token.")
    project_id = serializers.CharField(allow_null=True, help_text="A machine token's project.")
    role = serializers.CharField(allow_blank=True, help_text="A machine token's role.")
    scopes = serializers.ListField(child=serializers.CharField())
    is_admin = serializers.BooleanField()


class NameFields(BodySerializer):
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    first_name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    last_name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    language = serializers.ChoiceField(choices=[code for code, _ in settings.LANGUAGES], required=False)


class MeChange(NameFields):
    """What a person may change of itself."""


class UserCreate(NameFields):
    username = serializers.CharField(max_length=64)
    password = serializers.CharField(
        max_length=1000, trim_whitespace=False, write_only=True, required=False, allow_null=True
    )
    is_admin = serializers.BooleanField(required=False)


class UserChange(NameFields):
    is_admin = serializers.BooleanField(required=False)
    is_active = serializers.BooleanField(required=False)


class UserQuery(QuerySerializer):
    search = serializers.CharField(max_length=80, required=False)


class PasswordChange(BodySerializer):
    current = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class PasswordSet(BodySerializer):
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class TokenOut(ReplySerializer):
    id = serializers.CharField()
    name = KnownField(SEEDED)
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    role = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class TokenMade(TokenOut):
    token = serializers.CharField(help_text="The token's text: shown only now.")


class TokenCreate(BodySerializer):
    name = serializers.CharField(max_length=80)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), min_length=1, max_length=3)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class FactorOut(ReplySerializer):
    enabled = serializers.BooleanField()
    since = serializers.DateTimeField(allow_null=True)
    recovery_codes_left = serializers.IntegerField()


class EnrolmentOut(ReplySerializer):
    secret = serializers.CharField()
    url = serializers.CharField(help_text="otpauth: address of the secret.")
    svg = serializers.CharField(help_text="The address as a QR code.")


class FactorConfirm(BodySerializer):
    code = serializers.CharField(max_length=20, help_text="What the app shows now.")


class RecoveryOut(ReplySerializer):
    codes = serializers.ListField(child=serializers.CharField(), help_text="Each signs in once, without the device.")


class FactorDrop(BodySerializer):
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class SessionOut(ReplySerializer):
    id = serializers.CharField()
    browser = serializers.CharField(help_text="Firefox, Chrome, ...; empty: unknown.")
    system = serializers.CharField(help_text="Linux, Windows, iOS, ...; empty: unknown.")
    address = serializers.CharField(help_text="Of the last request; empty where it is not known, and to tokens.")
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField(help_text="To the minute.")
    this = serializers.BooleanField(help_text="The one that asks.")


class PasskeyOut(ReplySerializer):
    id = serializers.CharField(source="pk")
    name = serializers.CharField(source="data.name")
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class TokensPage(FirstPageOut):
    results = TokenOut(many=True)


class AccountOut(ReplySerializer):
    """What the account page shows beside `/me`."""

    second_factor = FactorOut(allow_null=True, help_text="Null for a project's machine token, which nobody is.")
    passkeys = PasskeyOut(many=True)
    passkey_origins = serializers.ListField(
        child=serializers.CharField(), help_text="Addresses of this installation at which passkeys work; none: nowhere."
    )
    sessions = SessionOut(many=True, help_text="As `/me/sessions` lists them.")
    tokens = TokensPage(help_text="My tokens, the newest first.")
