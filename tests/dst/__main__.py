"""`python -m tests.dst orders --scenarios 10000 --seed 1 --json`; `mutants` and `peers` likewise."""

import sys

from .command import main

sys.exit(main())
