"""REST: sign-in, oneself, tokens, and users (administrators)."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.middleware.csrf import get_token
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.accounts import factors, passkeys, selectors, services, tokens
from fubini.accounts import serializers as s
from fubini.accounts.authentication import csrf_check, principal_of_user
from fubini.accounts.models import Token, User
from fubini.audit.services import audit_append
from fubini.common.errors import Forbidden, NotFound, TooManyRequests, Unauthenticated
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.rest.throttle import Buckets, client_address
from fubini.rest.views import ApiViews, operation

PENDING = "second_factor.secret"
_per_minute = settings.FUBINI["LOGINS_PER_MINUTE"]
login_buckets = Buckets(_per_minute / 60, _per_minute)


def admin_only(principal: Principal) -> None:
    """As `projects.authorize.authorize_admin`, one layer lower."""
    if not principal.administers:
        raise Forbidden("Only administrators may do this.", next_step="Ask an administrator of this installation.")


def person_of(principal: Principal) -> User:
    """The person behind a principal.

    Raises:
        Forbidden: a project's machine token has none.
    """
    if principal.user is None:
        raise Forbidden(
            "A project's machine token has no person behind it.", next_step="Sign in, or use a token of your account."
        )
    return principal.user


def person_in_session(principal: Principal) -> User:
    """The person, signed in in a browser: only so are the ways to sign in changed.

    Raises:
        Forbidden: a token asks.
    """
    user = person_of(principal)
    if principal.token_id is not None:
        raise Forbidden("A token cannot change how its owner signs in.", next_step="Sign in in the browser first.")
    return user


def attempt_take(request: Request, username: str, *, what: str = "address") -> None:
    """Count one try at a password or another proof, of an address and (where it is known) of an account.

    Raises:
        TooManyRequests: there were too many.
    """
    keys = [f"{what}:{client_address(request)}", *([f"user:{username.lower()[:150]}"] if username else [])]
    for key in keys:
        waits = login_buckets.take(key)
        if waits:
            raise TooManyRequests(
                say(
                    "Too many sign-ins; try again in {waits} s.",
                    waits=int(waits) + 1,
                ),
                retry_after_s=int(waits) + 1,
            )


class Login(ApiViews):
    @operation("Get the CSRF token to sign in with.", reply=s.CsrfOut, public=True)
    def get(self, request: Request) -> Response:
        """Sets the `csrftoken` cookie and tells whether a session is signed in."""
        oidc = settings.FUBINI["OIDC"]
        return self.reply(
            {
                "csrf_token": get_token(request._request),
                "signed_in": request.user.is_authenticated,
                "provider": {"name": oidc.name, "url": reverse("openid_connect_login", args=["sso"])} if oidc else None,
                "passkey_origins": list(passkeys.origins()),
            }
        )

    @operation(
        "Sign in with a password; the answer sets the session cookie.", body=s.LoginBody, reply=s.MeOut, public=True
    )
    def post(self, request: Request) -> Response:
        """Needs the CSRF token. Attempts are limited per address and per username."""
        csrf_check(request)
        username = self.body["username"]
        attempt_take(request, username)
        user = authenticate(request._request, username=username, password=self.body["password"])
        if not isinstance(user, User):
            audit_append(actor="anonymous", action="login.failed", target=f"user:{username}"[:120])
            raise Unauthenticated(
                "The username or the password is not right.",
                next_step="Check both; an administrator can set a new password.",
            )
        if self.body["passkey"] is not None:
            passkeys.passkey_check(session=request._request.session, credential=self.body["passkey"], user=user)
        else:
            factors.factor_check(user, self.body["code"])
        login(request._request, user, backend="django.contrib.auth.backends.ModelBackend")
        audit_append(actor=f"user:{user.username}", action="login", target=f"user:{user.username}")
        return self.reply(me_of(principal_of_user(user)))


class Logout(ApiViews):
    @operation("End the session.", status=204)
    def post(self, request: Request) -> Response:
        logout(request._request)
        return self.reply()


def me_of(principal: Principal) -> dict[str, object]:
    """What `MeOut` shows."""
    return {
        "actor": principal.actor,
        "user": principal.user,
        "project_id": principal.project_id,
        "role": principal.role,
        "scopes": [scope for scope in ("read", "write", "admin") if scope in principal.scopes],
        "is_admin": principal.is_admin,
    }


class Me(ApiViews):
    @operation("Who am I, and with which scopes?", reply=s.MeOut)
    def retrieve(self, request: Request) -> Response:
        return self.reply(me_of(self.principal), etag=self.principal.user)

    @operation("Change my names, email or language.", body=s.MeChange, reply=s.MeOut, if_match=True)
    def update(self, request: Request) -> Response:
        user = person_of(self.principal)
        expected = self.match(user)
        services.user_update(user=user, actor=self.principal.actor, expected_version=expected, **self.body)
        return self.reply(me_of(self.principal), etag=user)

    @operation("Change my password; other sessions end.", body=s.PasswordChange, status=204)
    def password(self, request: Request) -> Response:
        """Only a signed-in session may, not a token."""
        user = person_of(self.principal)
        if self.principal.token_id is not None:
            raise Forbidden("A token cannot change the password.", next_step="Sign in with the current password first.")
        attempt_take(request, user.username)
        services.password_set(
            user=user, password=self.body["password"], current=self.body["current"], actor=self.principal.actor
        )
        login(request._request, user, backend="django.contrib.auth.backends.ModelBackend")
        return self.reply()

    @operation("My account page: how and where I sign in, and my tokens.", reply=s.AccountOut)
    def overview(self, request: Request) -> Response:
        user = self.principal.user
        return self.reply(
            {
                "second_factor": factors.factor_of(user) if user is not None else None,
                "passkeys": passkeys.passkeys_of(user).order_by("pk"),
                "passkey_origins": list(passkeys.origins()),
                "sessions": selectors.sessions_shown(self.principal, request._request.session.session_key),
                "tokens": self.first(selectors.tokens_own(self.principal), ("-id",), path="tokens"),
            }
        )


class SecondFactor(ApiViews):
    """``/me/second-factor``."""

    @operation("Do I sign in with a code too?", reply=s.FactorOut)
    def retrieve(self, request: Request) -> Response:
        return self.reply(factors.factor_of(person_of(self.principal)))

    @operation("Begin to set one up.", reply=s.EnrolmentOut, secret=True)
    def begin(self, request: Request) -> Response:
        """The secret waits in the session until a code confirms it."""
        found = factors.factor_begin(person_in_session(self.principal))
        request._request.session[PENDING] = found.secret
        return self.reply(found)

    @operation(
        "Confirm it with a code; the recovery codes are shown only now.",
        body=s.FactorConfirm,
        reply=s.RecoveryOut,
        secret=True,
    )
    def confirm(self, request: Request) -> Response:
        user = person_in_session(self.principal)
        secret = str(request._request.session.get(PENDING, ""))
        codes = factors.factor_confirm(
            user=user,
            secret=secret,
            code=self.body["code"],
            actor=self.principal.actor,
            session_key=str(request._request.session.session_key or ""),
        )
        del request._request.session[PENDING]
        return self.reply({"codes": codes})

    @operation("Take it away.", body=s.FactorDrop, status=204)
    def drop(self, request: Request) -> Response:
        user = person_in_session(self.principal)
        attempt_take(request, user.username)
        factors.factor_drop(user=user, actor=self.principal.actor, password=self.body["password"])
        return self.reply()


class Tokens(ApiViews):
    @operation("List my tokens.", reply=s.TokenOut, many=True)
    def list(self, request: Request) -> Response:
        return self.page(selectors.tokens_own(self.principal), ("-id",))

    @operation(
        "Make a token of mine; its text is shown only now.",
        body=s.TokenCreate,
        reply=s.TokenMade,
        status=201,
        secret=True,
    )
    def create(self, request: Request) -> Response:
        person_of(self.principal)
        token, text = services.own_token_create(principal=self.principal, **self.body)
        token.token = text  # type: ignore[attr-defined]
        return self.reply(token)

    @operation("One of my tokens.", reply=s.TokenOut)
    def retrieve(self, request: Request, id: str) -> Response:
        return self.reply(self._mine(id))

    @operation("Revoke one of my tokens.", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        tokens.token_revoke(token=self._mine(id), actor=self.principal.actor)
        return self.reply()

    def _mine(self, id: str) -> Token:
        token = selectors.tokens_own(self.principal).filter(pk=id).first()
        if token is None:
            raise NotFound("You have no such token.")
        return token


class Users(ApiViews):
    @operation("List users (administrators).", query=s.UserQuery, reply=s.UserOut, many=True)
    def list(self, request: Request) -> Response:
        admin_only(self.principal)
        return self.page(selectors.users_list(search=self.params.get("search", "")), ("username", "id"))

    @operation("Make a user (administrators).", body=s.UserCreate, reply=s.UserOut, status=201)
    def create(self, request: Request) -> Response:
        admin_only(self.principal)
        fields = {"password": None, **self.body}
        user = services.user_create(actor=self.principal.actor, **fields)
        return self.reply(user, etag=user)

    @operation("One user (administrators).", reply=s.UserOut)
    def retrieve(self, request: Request, username: str) -> Response:
        admin_only(self.principal)
        user = selectors.user_named(username)
        return self.reply(user, etag=user)

    @operation("Change a user (administrators).", body=s.UserChange, reply=s.UserOut, if_match=True)
    def update(self, request: Request, username: str) -> Response:
        admin_only(self.principal)
        user = selectors.user_named(username)
        expected = self.match(user)
        services.user_update(user=user, actor=self.principal.actor, expected_version=expected, **self.body)
        return self.reply(user, etag=user)

    @operation("Set a user's password (administrators).", body=s.PasswordSet, status=204)
    def password(self, request: Request, username: str) -> Response:
        admin_only(self.principal)
        user = selectors.user_named(username)
        services.password_set(user=user, password=self.body["password"], actor=self.principal.actor)
        return self.reply()

    @operation("Take a user's second factor away (administrators).", status=204)
    def factor_drop(self, request: Request, username: str) -> Response:
        """For somebody who lost the device and the recovery codes."""
        admin_only(self.principal)
        factors.factor_drop(user=selectors.user_named(username), actor=self.principal.actor)
        return self.reply()
