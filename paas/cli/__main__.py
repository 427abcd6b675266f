"""`python -m paas.cli`: the `paas` command without an installed script."""

import sys

from paas.cli import main

sys.exit(main())
