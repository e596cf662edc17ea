"""Tests: a throw-away state folder, fast password hashing, no broker."""

import os
import tempfile

os.environ.setdefault("FUBINI_HOME", tempfile.mkdtemp(prefix="fubini-test-"))

from fubini.settings.base import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
