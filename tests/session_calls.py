"""A small API of our own for tests of the session; the webhook sink and the venues answer it."""

from sentio_async.config import ConnectorConfig
from sentio_async.http.auth import NoAuth
from sentio_async.http.client import Resources
from sentio_async.http.endpoint import Api, Parts
from sentio_async.http.session import Session
from sentio_async.resilience.limiter import Priority

api = Api("test", priority=Priority.ACCOUNT)


@api.get("/thing", returns=lambda raw: raw)
def thing() -> Parts:
    """Read something."""
    return Parts()


@api.post("/hook", returns=lambda raw: raw, accepts=(200, 204))
def write_once(number: int) -> Parts:
    """A write that nobody recognises when it comes twice."""
    return Parts(json={"n": number})


@api.post("/hook", returns=lambda raw: raw, accepts=(200, 204), repeatable=True)
def write_with_key(number: int) -> Parts:
    """A write that the other side recognises by its key."""
    return Parts(json={"n": number}, key=str(number))


class TestConfig(ConnectorConfig):
    vendor = "test"
    __test__ = False


def a_session(url, *, client=None, auth=None, buckets=None, **settings):
    resources = Resources(client=client)
    return Session(
        TestConfig(**settings),
        url,
        auth=auth or NoAuth(),
        resources=resources,
        buckets=buckets,
    ), resources
