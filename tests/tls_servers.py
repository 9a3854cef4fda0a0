"""Servers that many people run, each with the same few pages over TLS, in a process of its own.

/small says {}; /large a megabyte of lines; /gzip the same, packed; /close {} and then the
connection ends; a POST to /size says how many bytes came (not nginx's, which runs no code).
"""

import asyncio
import contextlib
import gzip
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = b"".join(b'{"line": %07d}\n' % number for number in range(58_255))
"""A bit more than a megabyte."""
SMALL = b"{}"

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; default_type application/json; root {folder}; keepalive_timeout 60s;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {pem}; ssl_certificate_key {pem};
    location = /gzip {{ gzip on; gzip_types *; gzip_min_length 1; alias {folder}/large; }}
    location = /close {{ keepalive_timeout 0; alias {folder}/small; }}
  }}
}}
"""

NODE = """
const [port, pem, large] = process.argv.slice(1);
const fs = require("fs"), https = require("https"), zlib = require("zlib");
const keys = fs.readFileSync(pem), lines = fs.readFileSync(large);
const say = (res, body, more = {}) => {
  res.writeHead(200, { "content-type": "application/json", ...more });
  res.end(body);
};
https.createServer({ key: keys, cert: keys, ALPNProtocols: ["http/1.1"] }, (req, res) => {
  if (req.url === "/large") return say(res, lines);
  if (req.url === "/gzip") return say(res, zlib.gzipSync(lines), { "content-encoding": "gzip" });
  if (req.url === "/close") return say(res, "{}", { connection: "close" });
  let size = 0;
  req.on("data", (piece) => { size += piece.length; });
  req.on("end", () => say(res, req.url === "/size" ? String(size) : "{}"));
}).listen(Number(port), "127.0.0.1");
"""


def missing(name):
    """Why a server cannot be run here; None if it can."""
    found = {"nginx": _nginx(), "node": shutil.which("node")}
    return f"{name} is not on this machine" if found.get(name, name) is None else None


def _nginx():
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _command(name, port, folder, pem):
    if name == "nginx":
        place = folder / "nginx.conf"
        user = "user root;" if Path("/proc/self").owner() == "root" else ""
        place.write_text(NGINX.format(folder=folder, port=port, pem=pem, user=user))
        return [_nginx(), "-e", f"{folder}/start.log", "-c", str(place)]
    if name == "node":
        return ["node", "-e", NODE, str(port), str(pem), str(folder / "large")]
    return [sys.executable, __file__, name, str(port), str(pem)]


@contextlib.contextmanager
def running(name, certificate):
    """The base URL of a server of that name, with a trustme certificate."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        pem = folder / "keys.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
        (folder / "large").write_bytes(LINES)
        (folder / "small").write_bytes(SMALL)
        process = subprocess.Popen(_command(name, port, folder, pem))
        try:
            _wait_for(port, process)
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port, process):
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until or process.poll() is not None:
                raise
            time.sleep(0.02)
        else:
            return


def _page(path, body):
    """The body, and headers, of a page."""
    match path:
        case "/large":
            return LINES, {}
        case "/gzip":
            return gzip.compress(LINES), {"content-encoding": "gzip"}
        case "/close":
            return SMALL, {"connection": "close"}
        case "/size":
            return str(len(body)).encode(), {}
    return SMALL, {}


def _uvicorn(port, pem):
    import uvicorn

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        page, fields = _page(scope["path"], body)
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        headers.append((b"content-length", str(len(page)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    config = uvicorn.Config(app, port=port, ssl_certfile=pem, log_level="error", lifespan="off")
    config.load()
    config.ssl.set_alpn_protocols(["http/1.1"])
    asyncio.run(uvicorn.Server(config).serve())


def _aiohttp(port, pem):
    from aiohttp import web

    async def answer(request):
        page, fields = _page(request.path, await request.read())
        return web.Response(body=page, headers=fields)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2", "http/1.1"])
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=port, ssl_context=context, print=None)


if __name__ == "__main__":
    {"uvicorn": _uvicorn, "aiohttp": _aiohttp}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
