"""Settings every deployment shares; what differs comes from `env.py`."""

from __future__ import annotations

from typing import Any

import environ

from fubini.common.home import checkout
from fubini.settings.env import read_env

ENV = read_env()
FUBINI_HOME = ENV.home
SECRET_KEY = ENV.secret_key
FUBINI_SECRETS_KEYS = ENV.secrets_keys
DEBUG = ENV.debug
ALLOWED_HOSTS = list(ENV.allowed_hosts)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "fubini.rest",
    "fubini.events",
    "fubini.audit",
    "fubini.accounts",
    "fubini.projects",
    "fubini.flags",
    "fubini.sites",
    "fubini.ledger",
    "fubini.datasets",
    "fubini.secrets",
    "fubini.pipelines",
    "fubini.runs",
    "fubini.links",
    "fubini.notices",
    "fubini.crons",
    "fubini.dispatch",
    "fubini.gateway",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "fubini.rest.middleware.StaticFilesMiddleware",
    "fubini.rest.middleware.RequestLimitsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "fubini.accounts.session_engine.PersonMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "fubini.urls"
ASGI_APPLICATION = "fubini.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

AUTH_USER_MODEL = "fubini_accounts.User"
# Sign-in: passwords and codes by our own route; an identity provider by allauth, whose pages are not served.
ACCOUNT_ADAPTER = "fubini.accounts.oidc.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_ADAPTER = "fubini.accounts.oidc.ProviderAdapter"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": ENV.oidc_apps, "OAUTH_PKCE_ENABLED": True}}
MFA_ADAPTER = "fubini.secrets.factors.SealingAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Fubini"
MFA_TOTP_TOLERANCE = 1  # a period before and after: clocks differ
LOGIN_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

DATABASE: dict[str, Any] = environ.Env.db_url_config(ENV.database_url)
# Opening costs more than a small transaction; a connection that fails is replaced at its next use.
DATABASE["CONN_MAX_AGE"] = 600
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    # One writer at a time, taken at BEGIN: no deadlock by lock upgrade, and commit order is id order.
    DATABASE["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;",
    }
elif DATABASE["ENGINE"] == "django.db.backends.postgresql":
    DATABASE["ENGINE"] = "fubini.common.postgres"
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = ENV.home / "static"
# The built pages are served at `/`; a checkout that never built them serves the plain one.
_pages = [root / "frontend" / name for root in [checkout()] if root for name in ("dist", "plain")]
WHITENOISE_ROOT = next((page for page in _pages if (page / "index.html").is_file()), None)
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "fubini.accounts.authentication.TokenAuthentication",
        "fubini.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["fubini.rest.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["fubini.rest.throttle.PrincipalThrottle"],
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "fubini.rest.schema.Schema",
    "DEFAULT_PAGINATION_CLASS": "fubini.rest.pagination.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "fubini.rest.errors.exception_handler",
    "PAGE_SIZE": 25,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Fubini",
    "DESCRIPTION": "Describe a computation once; run every step wherever it is soonest, cheapest or closest to its data.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_NO_READ_ONLY_REQUIRED": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # Enums stay inline: names made up for them change whenever another serializer has the same choices.
    "POSTPROCESSING_HOOKS": ["fubini.projects.streams.openapi", "fubini.rest.schema.finish"],
}

# E-mail: an SMTP server by URL; without one, files in the state folder that nobody is sent.
EMAIL = environ.Env.email_url_config(ENV.email_url)
EMAIL_BACKEND = EMAIL["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = EMAIL.get("EMAIL_HOST") or "localhost", EMAIL.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL.get("EMAIL_HOST_USER") or "", EMAIL.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL.get("EMAIL_USE_TLS", False), EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = EMAIL.get("EMAIL_FILE_PATH") or str(ENV.home / "mail")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENV.email_from

DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
SESSION_ENGINE = "fubini.accounts.session_engine"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "fubini.rest.errors.csrf_failure"
APPEND_SLASH = False
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

FUBINI: dict[str, Any] = {
    "OIDC": ENV.oidc,  # the identity provider, or None; its sign-in is reached by a form
    "SIGN_IN_ORIGINS": [ENV.oidc.origin] if ENV.oidc else [],
    "PASSKEYS": ENV.passkeys,  # the domain and the origins that passkeys are good for, or None
    "ENGINES": {"embedded": "fubini.engines.embedded.shell.EmbeddedShell"},
    "OBJECTS_URL": ENV.objects_url,
    "PUBLIC_URL": ENV.public_url,
    "LEASE_S": ENV.lease_s,
    # Local first: work overflows to a less local site when the local ones would start it later than this.
    "POLICY": {"burst_wait_s": ENV.burst_wait_s},
    # Money: one currency and one time zone for days and months, everywhere. Months close by themselves so many days after
    # their end (0: only by hand).
    "CURRENCY": ENV.currency,
    "ACCOUNTING_ZONE": ENV.accounting_zone,
    "CLOSE_MONTHS_AFTER_DAYS": ENV.close_months_after_days,
    # What is told of: a step that is ready and not placed for so long, an agent that is silent for so long.
    "NOTICE_WAITING_MINUTES": ENV.notice_waiting_minutes,
    "NOTICE_SILENT_S": ENV.notice_silent_s,
    # How long notices, and messages that were sent or given up, are kept.
    "RETENTION_NOTICES_DAYS": 60,
    # How long events, logs and artifacts of ended runs are kept, in days; 0: for ever.
    **{f"RETENTION_{kind}_DAYS": days for kind, days in ENV.retention_days.items()},
    "BLOB_GRACE_S": ENV.blob_grace_hours * 3600,
    "PROJECT_MAX_BYTES": ENV.project_max_bytes,
    "ARCHIVE_MAX_BYTES": ENV.archive_max_bytes,
    # Where the platform may go for a manifest: schemes, and host:port pairs that may be private (see fubini.remote.guard).
    "REMOTE": {"allow": ENV.remote_allow, "schemes": ENV.remote_schemes},
    "REMOTE_MAX_BYTES": ENV.remote_max_bytes,
    "REMOTE_TIMEOUT_S": ENV.remote_timeout_s,
    # An attempt nobody reports on for this long after its lease ended is lost and its task runs again.
    "UNKNOWN_WINDOW_S": 30,
    "MAX_INFRA_ATTEMPTS": 5,
    "CHILD_DEPTH": 5,  # runs made by steps of runs made by steps ...
    "CHILD_RUNS": 1000,  # runs below one run
    "MANIFEST_MAX_BYTES": 2 * 1024 * 1024,
    "LOG_MAX_BYTES": 10 * 1024 * 1024,
    # A principal's requests: a burst, then a steady rate; beyond it 429 with Retry-After.
    "REQUESTS_PER_S": 300,
    "REQUESTS_BURST": 3000,
    "LOGINS_PER_MINUTE": ENV.logins_per_minute,
    "STREAMS_MAX": 500,
    "STREAMS_MAX_A_PRINCIPAL": 20,
    "STREAM_RECHECK_S": 30.0,
}

# The database is the queue; Celery only carries row ids and may lose any of them.
CELERY_BROKER_URL = ENV.broker_url
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "fubini"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
if ENV.broker_url == "filesystem://":
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(ENV.home / "broker" / "queue"),
        "data_folder_out": str(ENV.home / "broker" / "queue"),
        "control_folder": str(ENV.home / "broker" / "control"),
        "polling_interval": 0.05,
        "store_processed": False,
    }

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": ENV.log_level},
    # They log whole URLs, whose queries may hold tokens.
    "loggers": {"httpx": {"level": "WARNING"}, "httpcore": {"level": "WARNING"}},
}
