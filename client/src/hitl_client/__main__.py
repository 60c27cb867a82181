"""`python -m hitl_client` is the command `hitl`."""

import sys

from hitl_client.cli import main

sys.exit(main())
