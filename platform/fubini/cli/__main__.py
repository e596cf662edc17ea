"""`python -m fubini.cli`: the command line without its console script."""

import sys

from fubini.cli.main import main

sys.exit(main())
