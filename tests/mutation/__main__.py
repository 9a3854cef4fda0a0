"""`python -m tests.mutation sentio_async/orders sentio_async/resilience --out FILE`."""

import sys

from .command import main

sys.exit(main())
