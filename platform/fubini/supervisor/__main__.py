"""`python -m fubini.supervisor`: what `fubini up`, `down`, `migrate`, `backup` and `restore` run.

The CLI starts these as processes of their own, so that it stays a REST client with nothing of Django in it.
"""

from __future__ import annotations

import sys

from fubini.supervisor.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
