"""Servers in other processes: nginx with a small answer, and one that takes its time."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from pathlib import Path

QUOTE = json.dumps(
    {
        "symbol": "AAPL",
        "quote": {"t": "2026-01-02T15:04:05.123456789Z", "ap": 187.23, "as": 2, "bp": 187.2}
        | {"bs": 4, "ax": "V", "bx": "V", "c": ["R"]},
    },
    separators=(",", ":"),
).encode()[:133]

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; {affinity}
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; tcp_nodelay on;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location / {{
      default_type application/json;
      add_header X-Request-ID 0d5b2a5e6f3a4c1b9e8d7f6a5b4c3d2e;
      add_header X-Ratelimit-Limit 1000000000;
      add_header X-Ratelimit-Remaining 999999999; add_header X-Ratelimit-Reset 4070908800;
      add_header Strict-Transport-Security max-age=31536000; add_header Vary Origin;
      add_header X-Content-Type-Options nosniff;
      return 200 '{body}';
    }}
  }}
}}
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def nginx_binary():
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def quote_server(*, pin=False):
    """The base URL of a server that answers every request with a quote of 133 bytes."""
    binary = nginx_binary()
    if binary is None:
        with delayed_server(0.0) as url:
            yield url
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        affinity = "worker_cpu_affinity 10;" if pin and (os.cpu_count() or 1) > 1 else ""
        text = NGINX.format(folder=folder, port=port, body=QUOTE.decode(), affinity=affinity)
        if os.geteuid() == 0:
            text = "user root;\n" + text
        place = Path(folder, "nginx.conf")
        place.write_text(text)
        process = subprocess.Popen([binary, "-e", f"{folder}/start.log", "-c", str(place)])
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port):
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
ANSWER %= (len(QUOTE), QUOTE)


class _Late:
    """Answers that are due: one timer for all of them, so that a burst costs this side little."""

    def __init__(self, delay):
        self._delay = delay
        self._due = deque()
        self._loop = asyncio.get_running_loop()

    def add(self, transport):
        if not self._delay:
            transport.write(ANSWER)
            return
        at = self._loop.time() + self._delay
        self._due.append((at, transport))
        if len(self._due) == 1:
            self._loop.call_at(at, self._send)

    def _send(self):
        now = self._loop.time()
        while self._due and self._due[0][0] <= now:
            _, transport = self._due.popleft()
            transport.write(ANSWER)
        if self._due:
            self._loop.call_at(self._due[0][0], self._send)


class _Delayed(asyncio.BufferedProtocol):
    def __init__(self, late, buffer):
        self._late = late
        self._buffer = buffer
        self._left = b""

    def connection_made(self, transport):
        self._transport = transport

    def get_buffer(self, sizehint):
        return self._buffer

    def buffer_updated(self, size):
        *heads, self._left = (self._left + self._buffer[:size]).split(b"\r\n\r\n")
        for _ in heads:
            self._late.add(self._transport)


def _serve(delay, line):
    async def main():
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        late, buffer = _Late(delay), memoryview(bytearray(65536))
        server = await loop.create_server(
            lambda: _Delayed(late, buffer), "127.0.0.1", 0, backlog=2048
        )
        line.send(server.sockets[0].getsockname()[1])
        with contextlib.suppress(TimeoutError):
            # No benchmark needs it longer, and nobody may be left to end it.
            async with asyncio.timeout(600):
                await stop.wait()

    asyncio.run(main())


@contextlib.contextmanager
def delayed_server(delay):
    """The base URL of a server that answers after so many seconds."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(delay, theirs), daemon=True)
    process.start()
    if not ours.poll(20):
        raise RuntimeError("the server did not start")
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join(5)
