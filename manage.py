#!/usr/bin/env python3
"""Django's entry point; puts the three source roots on the path so that a bare checkout works."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
for source_root in ("platform", "scheduler", "edge_agent"):
    sys.path.insert(0, str(ROOT / source_root))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
