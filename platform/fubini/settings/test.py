"""Tests: a throw-away state folder, fast password hashing, no broker."""

import os
import tempfile

# A person's own FUBINI_HOME is never a test's; processes that a test starts share the test's.
os.environ.setdefault("FUBINI_TEST_HOME", tempfile.mkdtemp(prefix="fubini-test-"))
os.environ["FUBINI_HOME"] = os.environ["FUBINI_TEST_HOME"]

from fubini.settings.base import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
