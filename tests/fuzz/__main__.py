"""`python -m tests.fuzz http --count 100000 --seed 1 --json`."""

import argparse
import json
import sys

from tests.fuzz import http


def main() -> int:
    """Compare, print what was found, and fail if something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    kinds = parser.add_subparsers(dest="kind", required=True)
    answers = kinds.add_parser("http", help="answers, read by our connections and by h11")
    answers.add_argument("--count", type=int, default=20_000)
    answers.add_argument("--seed", type=int, default=1)
    answers.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    told = parser.parse_args()
    result = http.run(told.count, told.seed)
    if told.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:12} {value}")
    return 1 if result["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
