"""Downloads a book of bars; `killed.py KIND FOLDER [STEP NUMBER]` is killed at that step."""

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path

from history.books import SIZES, Book, Shelves, store
from sentio_async.history import parquet

KINDS = {"alone": Book, "together": Shelves}


def die_at(step, number):
    """Be killed in the middle of the so manyth of these steps."""
    numbers = itertools.count(1)

    def counting(work, *, after=False):
        def counted(*args, **more):
            is_it = next(numbers) == number
            if is_it and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            found = work(*args, **more)
            if is_it:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return counted

    if step == "write":
        parquet.Part.write = counting(parquet.Part.write)
    elif step == "fsync":
        os.fsync = counting(os.fsync)
    else:
        Path.replace = counting(Path.replace, after=step == "replaced")


if __name__ == "__main__":
    kind, folder, *rest = sys.argv[1:]
    if rest:
        die_at(rest[0], int(rest[1]))
    asyncio.run(store(KINDS[kind](SIZES), folder, symbols_at_once=2))
