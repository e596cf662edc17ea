"""REST: the browsers I am signed in with, my passkeys, and signing in with one."""

from __future__ import annotations

from django.contrib.auth import login
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.accounts import factors, passkeys, selectors, sessions
from fubini.accounts.apis import attempt_take, me_of, person_in_session, person_of
from fubini.accounts.authentication import csrf_check, principal_of_user
from fubini.accounts.models import User
from fubini.accounts.serializers import CredentialField, MeOut, PasskeyOut, SessionOut
from fubini.audit.services import audit_append
from fubini.rest.serializers import BodySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


class PasskeyOptionsOut(ReplySerializer):
    public_key = serializers.JSONField(
        source="publicKey",
        help_text="For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptions...`.",
    )


class PasskeyBegin(BodySerializer):
    password = serializers.CharField(
        max_length=1000, trim_whitespace=False, allow_blank=True, write_only=True,
        help_text="Mine; empty where I have none (single sign-on).",
    )  # fmt: skip


class PasskeyAdd(BodySerializer):
    name = serializers.CharField(max_length=passkeys.NAME_MAX, allow_blank=True)
    credential = CredentialField(help_text="`toJSON()` of what `navigator.credentials.create` gave.")


class PasskeyAdded(ReplySerializer):
    passkey = PasskeyOut()
    codes = serializers.ListField(
        child=serializers.CharField(), help_text="Recovery codes, with the account's first factor; shown only now."
    )


class PasskeyName(BodySerializer):
    name = serializers.CharField(max_length=passkeys.NAME_MAX)


class PasskeyRemove(BodySerializer):
    password = serializers.CharField(max_length=1000, trim_whitespace=False, allow_blank=True, write_only=True)


class PasskeySignIn(BodySerializer):
    credential = CredentialField(help_text="`toJSON()` of what `navigator.credentials.get` gave.")


class Nothing(BodySerializer):
    """A body without fields."""


class EndedOut(ReplySerializer):
    ended = serializers.IntegerField()


class Sessions(ApiViews):
    """``/me/sessions``."""

    @operation("The browsers I am signed in with.", reply=SessionOut, many=True, paged=False)
    def list(self, request: Request) -> Response:
        """The 100 used last. Addresses are shown only in a session, not to a token."""
        return self.reply(selectors.sessions_shown(self.principal, request._request.session.session_key))

    @operation("End one of my sessions.", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        sessions.session_end(user=person_in_session(self.principal), id=id, actor=self.principal.actor)
        return self.reply()

    @operation("End all of my sessions but this one.", body=Nothing, reply=EndedOut)
    def end_others(self, request: Request) -> Response:
        user = person_in_session(self.principal)
        _ = self.body
        key = str(request._request.session.session_key or "")
        return self.reply({"ended": sessions.sessions_end(user=user, actor=self.principal.actor, keep=key)})


class Passkeys(ApiViews):
    """``/me/passkeys``."""

    @operation("My passkeys.", reply=PasskeyOut, many=True, paged=False)
    def list(self, request: Request) -> Response:
        return self.reply(passkeys.passkeys_of(person_of(self.principal)).order_by("pk"))

    @operation("Begin to add a passkey.", body=PasskeyBegin, reply=PasskeyOptionsOut, secret=True)
    def begin(self, request: Request) -> Response:
        """The question is good for five minutes, once, in this session."""
        user = self._confirmed(request)
        return self.reply(passkeys.add_options(user, request._request.session))

    @operation("Add the passkey the browser made.", body=PasskeyAdd, reply=PasskeyAdded, status=201, secret=True)
    def create(self, request: Request) -> Response:
        """With the account's first second factor its other sessions end."""
        user, session = person_in_session(self.principal), request._request.session
        row = passkeys.passkey_add(user=user, session=session, actor=self.principal.actor, **self.body)
        key = str(session.session_key or "")
        codes = factors.factor_come(user=user, actor=self.principal.actor, session_key=key)
        return self.reply({"passkey": row, "codes": codes})

    @operation("Name a passkey.", body=PasskeyName, reply=PasskeyOut)
    def rename(self, request: Request, id: str) -> Response:
        user = person_in_session(self.principal)
        return self.reply(passkeys.passkey_rename(user=user, id=id, name=self.body["name"]))

    @operation("Remove a passkey.", body=PasskeyRemove, status=204)
    def remove(self, request: Request, id: str) -> Response:
        user = self._confirmed(request)
        passkeys.passkey_remove(user=user, id=id, actor=self.principal.actor)
        factors.factor_gone(user)
        return self.reply()

    def _confirmed(self, request: Request) -> User:
        user = person_in_session(self.principal)
        attempt_take(request, user.username)
        factors.password_confirm(user, self.body["password"])
        return user


class PasskeyLogin(ApiViews):
    """``/login/passkey``."""

    @operation("Ask for a passkey to sign in with.", body=Nothing, reply=PasskeyOptionsOut, public=True)
    def options_(self, request: Request) -> Response:
        """Needs the CSRF token. The question is good for five minutes, once, in this browser; it names no account."""
        csrf_check(request)
        attempt_take(request, "", what="passkey")
        _ = self.body
        return self.reply(passkeys.sign_in_options(request._request.session))

    @operation("Sign in with a passkey alone.", body=PasskeySignIn, reply=MeOut, public=True)
    def post(self, request: Request) -> Response:
        """A passkey has verified its user (a PIN, a finger, a face), so no code is asked for beside it."""
        csrf_check(request)
        attempt_take(request, "")
        session = request._request.session
        try:
            user = passkeys.passkey_check(session=session, credential=self.body["credential"])
        except passkeys.PasskeyRefused:
            audit_append(actor="anonymous", action="login.failed", target="passkey")
            raise
        login(request._request, user, backend=MODEL_BACKEND)
        who = f"user:{user.username}"
        audit_append(actor=who, action="login", target=who, data={"by": "passkey"})
        return self.reply(me_of(principal_of_user(user)))
