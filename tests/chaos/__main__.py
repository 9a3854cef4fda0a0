"""`python -m tests.chaos cancels --count 100000 --pool 20 --json`."""

import argparse
import json
import sys

from tests.chaos import cancels


def main() -> int:
    """Run one storm, print its result, and fail if anything was left behind."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    kinds = parser.add_subparsers(dest="kind", required=True)
    storm = kinds.add_parser("cancels", help="cancelled and timed-out requests")
    storm.add_argument("--count", type=int, default=20_000)
    storm.add_argument("--pool", type=int, default=20)
    storm.add_argument("--seed", type=int, default=1)
    storm.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    told = parser.parse_args()
    result = cancels.run(told.count, told.pool, told.seed)
    if told.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:16} {value}")
    return 0 if cancels.is_clean(result) else 1


if __name__ == "__main__":
    sys.exit(main())
