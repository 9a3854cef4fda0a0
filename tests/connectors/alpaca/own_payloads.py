"""The project's own payloads beside this file."""

import json
from pathlib import Path

from sentio_async.http.wire_json import decode_json

FOLDER = Path(__file__).parent / "payloads"


def payload(name, **changes):
    """A payload as the session hands it over, with some members changed."""
    raw = decode_json((FOLDER / f"{name}.json").read_bytes())
    return {**raw, **changes} if changes else raw


def body(name, **changes):
    """A payload as it goes over the wire."""
    raw = json.loads((FOLDER / f"{name}.json").read_bytes())
    return json.dumps({**raw, **changes} if changes else raw).encode()
