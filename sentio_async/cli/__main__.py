"""`python -m sentio_async.cli` is `sentio-async`."""

import sys

from sentio_async.cli import main

sys.exit(main())
