"""Ctrl-C ends a program that listens, whatever its stream is doing, and leaves no complaint."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import time

import pytest

from sentio_async.sim import Exchange, FaultRule

PROGRAM = """
import asyncio, json, sys
from sentio_async.connectors.alpaca.data import AlpacaData

async def main():
    settings, state = json.loads(sys.argv[1]), sys.argv[2]
    async with AlpacaData(settings) as data:
        async def look():
            while data.get_stream_status()[0].state != state:
                await asyncio.sleep(0.01)
            print("there", flush=True)
        stream = data.stream_quotes("AAPL")
        stream.start()
        asyncio.get_running_loop().looking = asyncio.create_task(look())
        async for quote in stream:
            pass

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("left", flush=True)
"""
MUTE = {"authenticating": "AUTH", "subscribing": "SUBSCRIBE"}


@contextlib.contextmanager
def nobody(answers: bool):
    """A port where connections are made and nothing is said, or where there is nobody."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        if answers:
            made.listen()
        yield f"ws://127.0.0.1:{made.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "state", ["connecting", "authenticating", "subscribing", "live", "backoff"]
)
async def test_control_c_ends_it_within_two_seconds(state):
    with nobody(answers=state == "connecting") as url:
        async with Exchange(seed=1, venues=["alpaca_data"]) as exchange:
            await _interrupt(exchange, url, state)


async def _interrupt(exchange: Exchange, url: str, state: str) -> None:
    settings = exchange.settings("alpaca")
    if state in ("connecting", "backoff"):
        settings["data_stream_url"] = url
    if state in MUTE:
        exchange.add_fault(FaultRule(kind="socket_mute", method=MUTE[state]))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", PROGRAM, json.dumps(settings), state),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            said = await child.stdout.readline()
            assert said == b"there\n", await child.stderr.read()
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            said, complained = await child.communicate()
        took = time.monotonic() - began
    finally:
        if child.returncode is None:
            child.kill()

    assert (said, complained, child.returncode) == (b"left\n", b"", 0)
    assert took < 2
