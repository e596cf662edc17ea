"""The embedded default: one machine, loopback only."""

from fubini.settings.base import *  # noqa: F403
