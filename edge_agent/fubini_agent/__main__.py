"""``python -m fubini_agent``."""

import sys

from fubini_agent.cli import main

sys.exit(main())
