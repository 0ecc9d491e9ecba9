"""`python -m signet.cli` is `signet`."""

import sys

from signet.cli.main import main

sys.exit(main())
