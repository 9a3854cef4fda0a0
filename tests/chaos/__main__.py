"""`python -m tests.chaos cancels --count 100000 --pool 20 --json`.

`python -m tests.chaos orders --intents 2000 --kills 200 --seed 1 --json`.

`python -m tests.chaos streams --drops 200 --seed 1 --json`.
"""

import argparse
import json
import sys

from tests.chaos import cancels, orders, streams


def main() -> int:
    """Run one storm, print its result, and fail if anything was left behind."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    kinds = parser.add_subparsers(dest="kind", required=True)
    storm = kinds.add_parser("cancels", help="cancelled and timed-out requests")
    storm.add_argument("--count", type=int, default=20_000)
    storm.add_argument("--pool", type=int, default=20)
    storm.add_argument("--seed", type=int, default=1)
    storm.add_argument("--stock", action="store_true", help="on httpx's own pool, not on ours")
    storm.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    trade = kinds.add_parser("orders", help="orders under network faults and kill -9")
    trade.add_argument("--intents", type=int, default=200)
    trade.add_argument("--kills", type=int, default=20)
    trade.add_argument("--seed", type=int, default=1)
    trade.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    drop = kinds.add_parser("streams", help="streams dropped at every step")
    drop.add_argument("--drops", type=int, default=60)
    drop.add_argument("--seed", type=int, default=1)
    drop.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    told = parser.parse_args()
    if told.kind == "orders":
        result = orders.run(told.intents, told.kills, told.seed)
        is_clean = not result["violations"]
    elif told.kind == "streams":
        result = streams.run(told.drops, told.seed)
        is_clean = streams.is_clean(result)
    else:
        result = cancels.run(told.count, told.pool, told.seed, stock=told.stock)
        is_clean = cancels.is_clean(result)
    if told.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:16} {value}")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
