"""`python -m orchestration.connectors`: see `process`."""

from __future__ import annotations

import sys

from orchestration.connectors.process import main

sys.exit(main())
