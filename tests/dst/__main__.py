"""`python -m tests.dst orders --scenarios 10000 --seed 1 --json`; also `mutants` and `peers`."""

import sys

from .command import main

sys.exit(main())
