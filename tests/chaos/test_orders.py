"""A short run over all processes, and whether a run would notice what is wrong."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from sentio_async.models.trading import Order
from sentio_async.orders.intent import Intent, Kind
from sentio_async.orders.journal import Row, Step
from tests.chaos import orders
from tests.chaos.proxy import ANSWERS, REQUESTS, Proxy


@pytest.mark.slow
def test_no_order_is_lost_or_doubled_by_faults_and_kills():
    result = orders.run(20, 2, seed=3)

    assert result["violations"] == 0, result
    assert (result["kills"], result["lives"]) == (2, 3)
    assert result["placed"] > 15
    assert sum(result["faults"].values()) > 2


def live(id="v1", own="i1", price="1.00", status="new"):
    return {"id": id, "client_order_id": own, "limit_price": price, "status": status}


def rows(step=Step.ACKED, id="v1"):
    order = Order.model_validate(
        {
            "id": id,
            "client_order_id": "i1",
            "symbol": "AAPL",
            "side": "buy",
            "type": "limit",
            "status": "open",
            "venue_status": "new",
            "qty": 1,
            "filled_qty": 0,
            "time_in_force": "gtc",
        }
    )
    intent = Intent(id="i1", kind=Kind.PLACE, at=0.0, until=1.0)
    is_placed = step is Step.ACKED
    return [
        Row("i1", Step.INTENT, 0.0, intent=intent),
        Row("i1", step, 0.0, 1, order=order if is_placed else None),
    ]


def a_run(**said):
    run = orders.Run(1, 0, seed=1)
    run.left = []
    for line in said.get("lines", ["told 0 placed v1"]):
        run.hear(line)
    return run


def test_a_run_in_order_shows_nothing():
    wrong, notes = orders.compare(a_run(), [live()], rows())

    assert wrong.total() == 0, notes


@pytest.mark.parametrize(
    ("kind", "lines", "book", "known"),
    [
        ("duplicates", ["told 0 placed v1"], [live(), live("v2", "i2")], rows()),
        ("lost", ["told 0 placed v1"], [live(), live("v2", "i2", "1.01")], rows()),
        ("ghosts", ["told 0 placed v1"], [live()], rows(Step.NOT_PLACED)),
        ("ghosts", ["told 0 failed why"], [live()], rows()),
        ("phantoms", ["told 0 placed v1"], [], rows()),
        ("phantoms", ["told 0 placed v2"], [live()], rows()),
        ("phantoms", ["cancel v1 heard"], [live()], rows()),
        ("phantoms", ["changed 0 placed v3"], [live()], rows()),
        ("unresolved", ["told 0 placed v1"], [live()], rows(Step.UNKNOWN)),
        ("odd", ["gap MSFT 1 0"], [live()], rows()),
        ("odd", ["broke ValueError"], [live()], rows()),
    ],
)
def test_what_is_wrong_is_found(kind, lines, book, known):
    wrong, notes = orders.compare(a_run(lines=lines), book, known)

    assert wrong[kind] >= 1, notes


def test_an_intent_without_an_answer_is_found():
    run = a_run()
    run.left = [7]

    wrong, _ = orders.compare(run, [live()], rows())

    assert wrong["unresolved"] == 1


async def test_every_kind_of_fault_comes():
    proxy = Proxy("127.0.0.1", 9, rate=1.0, seed=1)
    kinds = REQUESTS + ANSWERS

    drawn = [proxy._draw() for _ in range(2 * len(kinds))]

    assert sorted(drawn) == sorted(2 * kinds)
    proxy.calm()
    assert proxy._draw() is None


PARENT = """
import asyncio, json, sys
from tests.chaos.lifeline import Child
from tests.chaos.orders import SETTINGS
from tests.chaos.trader import trade
from tests.chaos.venue_process import serve

async def main(folder):
    exchange = await Child.start(serve)
    url = json.loads(await exchange.line())["url"]
    settings = {**SETTINGS, "base_url": url, "journal": folder + "/orders.journal"}
    trader = await Child.start(trade, settings, list(range(10_000)))
    while await trader.line() != "ready":
        pass
    print(exchange.pid, trader.pid, flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.slow
def test_the_children_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, script, tmp_path],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()

    _, alive = psutil.wait_procs(children, timeout=10)

    assert alive == []
