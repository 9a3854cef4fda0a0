"""A webhook sink: takes what is posted under `/hook`, keeps it, and checks its signature.

Signatures are Standard Webhooks 1.0.0, read here from the specification alone:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Paths under `/hook/slack` answer as a Slack incoming webhook does: the two letters `ok`.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sentio_async.sim.settings import SinkSettings
from sentio_async.sim.state import Hook, State, keep

MAX_BODY = 1 << 20


def routes(state: State) -> list[BaseRoute]:
    """The sink's paths."""

    async def take(request: Request) -> Response:
        return await _take(state, request)

    return [
        Route("/hook", take, methods=["POST"]),
        Route("/hook/{rest:path}", take, methods=["POST"]),
    ]


async def _take(state: State, request: Request) -> Response:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            return PlainTextResponse("body is larger than 1 MB", 413)
    settings = state.sink
    verified = verify(settings, request.headers, bytes(body))
    refused = _refused(settings, request.headers, verified)
    status = 401 if refused else settings.status
    hook = Hook(
        path=request.url.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=bytes(body),
        json=_json(bytes(body)),
        at=state.clock.now(),
        status=status,
        verified=verified,
    )
    keep(state.hooks, hook)
    if refused:
        return PlainTextResponse(refused, status)
    is_slack = request.url.path.startswith("/hook/slack")
    text = settings.body if settings.body is not None else "ok" if is_slack else ""
    return PlainTextResponse(text, status, headers=settings.headers)


def _refused(settings: SinkSettings, headers: Mapping[str, str], verified: bool | None) -> str:
    """Why the sink does not take it, or nothing."""
    if settings.bearer is not None:
        given = headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {settings.bearer}".encode()):
            return "bearer token is missing or wrong"
    if verified is False:
        return "signature does not match"
    if verified is None and settings.require_signature:
        return "signature is missing"
    return ""


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def verify(settings: SinkSettings, headers: Mapping[str, str], body: bytes) -> bool | None:
    """Whether the signature is right; None when there is nothing to check or to check with."""
    shown = headers.get("webhook-signature")
    if shown is None or not settings.secrets:
        return None
    id, stamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    if not id or not stamp or not stamp.isdecimal():
        return False
    if settings.tolerance is not None and abs(settings.now() - int(stamp)) > settings.tolerance:
        return False
    signed = b".".join((id.encode(), stamp.encode(), body))
    expected = [hmac.digest(_key(each), signed, hashlib.sha256) for each in settings.secrets]
    return any(
        hmac.compare_digest(given, right) for given in _signatures(shown) for right in expected
    )


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix("whsec_")
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4))


def _signatures(shown: str) -> list[bytes]:
    """The `v1` signatures of a space-separated list; other versions are not ours to judge."""
    found = []
    for each in shown.split():
        version, _, encoded = each.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(encoded, validate=True))
            except binascii.Error:
                continue
    return found
