"""One session: proof, time, limits, identity, and other people's clients and loops."""

import asyncio
import gc
import json
import time
from datetime import UTC, datetime

import httpx
import pytest
import respx
from pydantic import SecretStr

from sentio_async import errors
from sentio_async.connectors.polygon.data import PolygonData
from sentio_async.errors import Outcome
from sentio_async.events import CallEnded, LimitObserved, RowSkipped
from sentio_async.http import exchange
from sentio_async.http.answer import Answer
from sentio_async.http.auth import BearerAuth, HeaderAuth
from sentio_async.http.client import Resources
from sentio_async.http.endpoint import Api, Parts, Problem
from sentio_async.http.problems import from_answer
from sentio_async.http.reading import read_rows
from sentio_async.http.redaction import redactor
from sentio_async.http.session import Session
from sentio_async.resilience import RetryPolicy
from sentio_async.resilience.hedging import HedgePolicy
from sentio_async.resilience.limiter import Priority, Window
from session_calls import TestConfig, a_session, thing, write_once, write_with_key

market = Api("market", priority=Priority.QUOTES)


trade = Api("trade", priority=Priority.ORDERS)


@market.get("/quote", returns=lambda raw: raw)
def quote(symbol: str = "A") -> Parts:
    return Parts(query={"symbol": symbol})


@market.get("/rows", returns=lambda raw: read_rows(raw, lambda row: row["a"], what="rows"))
def rows() -> Parts:
    return Parts()


@market.post("/quote", returns=lambda raw: raw)
def ask_by_post() -> Parts:
    return Parts(json={})


class Server:
    """A vendor in this process: answers by ``answer(request)``, and remembers requests."""

    def __init__(self, answer, delay=0.0):
        self.requests = []
        self._answer = answer
        self._delay = delay
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))

    async def _handle(self, request):
        self.requests.append(request)
        if self._delay:
            await asyncio.sleep(self._delay)
        answer = self._answer(request) if callable(self._answer) else self._answer
        return httpx.Response(*answer[:1], headers=answer[1], content=answer[2])

    def session(self, *, auth=None, buckets=None, listeners=(), **settings):
        session, _ = a_session(
            "https://api.test", client=self.client, auth=auth, buckets=buckets, **settings
        )
        session._resources.listeners.extend(listeners)
        return session

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.client.aclose()


wordy = Api("wordy", problem=lambda status, body, endpoint: Problem(body["message"]))


@wordy.get("/words", returns=lambda raw: raw)
def api_with_words() -> Parts:
    """Read what is refused in words."""
    return Parts()


def ok(body=None, **headers):
    return 200, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(body or {})


def refusal(status, text="", **headers):
    return status, {k.replace("_", "-"): v for k, v in headers.items()}, text


# Proof


class Renewing:
    """A token that can be renewed; ``good`` is what the vendor accepts."""

    def __init__(self, good="new", given="new"):
        self.good, self.given, self.renewals = good, given, 0

    async def renew(self):
        self.renewals += 1
        await asyncio.sleep(0.001)
        return SecretStr(self.given)

    def answer(self, request):
        is_good = request.headers["authorization"] == f"Bearer {self.good}"
        return ok({"ok": True}) if is_good else refusal(401)

    def auth(self, token="old"):
        return BearerAuth(SecretStr(token), renew=self.renew)


async def test_fifty_calls_with_an_old_token_renew_it_once():
    vendor = Renewing()
    async with Server(vendor.answer, delay=0.001) as server:
        session = server.session(auth=vendor.auth(), max_in_flight=100)

        answers = await asyncio.gather(*(session.send(thing()) for _ in range(50)))

    assert answers == [{"ok": True}] * 50
    assert vendor.renewals == 1
    assert len(server.requests) == 100


async def test_a_new_token_that_is_refused_too_is_the_end():
    vendor = Renewing(given="also old")
    async with Server(vendor.answer) as server:
        session = server.session(auth=vendor.auth())

        with pytest.raises(errors.AuthenticationError) as caught:
            await session.send(thing())

    assert vendor.renewals == 1
    assert len(server.requests) == 2
    assert caught.value.outcome is Outcome.REFUSED


async def test_a_key_that_cannot_be_renewed_is_tried_once():
    async with Server(refusal(401)) as server:
        session = server.session(auth=HeaderAuth({"x-key": SecretStr("k")}))

        with pytest.raises(errors.AuthenticationError):
            await session.send(thing())

    assert [r.headers["x-key"] for r in server.requests] == ["k"]


async def test_a_write_is_signed_again_but_not_sent_twice_by_a_renewal_after_it_was_done():
    vendor = Renewing()
    async with Server(vendor.answer) as server:
        await server.session(auth=vendor.auth()).send(write_once(1))

    # The first was refused with 401, so it was not done.
    assert len(server.requests) == 2


async def test_a_renewal_that_hangs_ends_with_the_call_and_the_refusal_stands():
    vendor = Renewing()

    async def never():
        await asyncio.Event().wait()

    async with Server(vendor.answer) as server:
        session = server.session(auth=BearerAuth(SecretStr("old"), renew=never))
        async with asyncio.timeout(2.0):
            found = await asyncio.gather(
                *(session.send(write_once(n), timeout=0.05) for n in range(3)),
                return_exceptions=True,
            )

    assert [type(each) for each in found] == [errors.AuthenticationError] * 3
    assert {each.outcome for each in found} == {Outcome.REFUSED}
    assert len(server.requests) == 3


async def test_what_was_stopped_while_a_token_was_renewed_is_not_sent():
    vendor, stopped = Renewing(), []

    def check():
        if stopped:
            raise errors.TradingHaltedError("halted")

    async def renew():
        stopped.append(True)
        return await vendor.renew()

    async with Server(vendor.answer) as server:
        session = server.session(auth=BearerAuth(SecretStr("old"), renew=renew))
        with pytest.raises(errors.TradingHaltedError):
            await session.send(write_once(1), check=check)

    assert len(server.requests) == 1


@trade.post("/order", returns=lambda raw: raw)
def order() -> Parts:
    return Parts(json={})


@pytest.mark.parametrize("places", [2, 3, 20])
async def test_an_order_does_not_wait_for_reads_that_hang(places):
    hang = asyncio.Event()

    async def handle(request):
        if request.method == "GET":
            await hang.wait()
        return httpx.Response(200, content=b"{}")

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        session, _ = a_session("https://api.test", client=client, max_in_flight=places)
        reads = [asyncio.create_task(session.send(thing())) for _ in range(40)]
        await asyncio.sleep(0.01)
        async with asyncio.timeout(1.0):
            assert await session.send(order()) == {}
        hang.set()
        await asyncio.gather(*reads)


# Time and retries


async def test_one_call_may_have_its_own_time():
    async with Server(ok(), delay=1.0) as server:
        session = server.session()
        started = time.monotonic()

        with pytest.raises(errors.DeadlineExceededError):
            await session.send(thing(), timeout=0.03)
        elapsed = time.monotonic() - started
        for task in list(session._resources.tasks):
            task.cancel()

    assert elapsed < 0.5


async def test_one_call_may_have_its_own_retries():
    quick = RetryPolicy(attempts=3, first_delay=0.001, max_delay=0.002)
    async with Server(refusal(503)) as server:
        session = server.session()

        for policy, tries in ((None, 1), (quick, 3), (RetryPolicy(attempts=1), 1)):
            server.requests.clear()
            with pytest.raises(errors.ServerError) as caught:
                await session.send(thing(), retry=policy)
            assert len(server.requests) == tries
            assert len(caught.value.attempts) == tries


async def test_settings_say_how_often_unless_the_call_does():
    async with Server(refusal(503)) as server:
        session = server.session(retry_attempts=1)

        with pytest.raises(errors.ServerError):
            await session.send(thing())

    assert len(server.requests) == 1


async def test_a_write_that_may_have_happened_is_not_repeated_and_one_with_a_key_is():
    quick = RetryPolicy(attempts=3, first_delay=0.001, max_delay=0.002)
    async with Server(refusal(503)) as server:
        session = server.session()

        for write, tries in ((write_once(1), 1), (write_with_key(1), 3)):
            server.requests.clear()
            with pytest.raises(errors.ServerError) as caught:
                await session.send(write, retry=quick)
            assert len(server.requests) == tries
            assert caught.value.outcome is Outcome.UNKNOWN


# What the vendor says besides


async def test_the_vendors_own_quota_tightens_ours():
    heard = []
    headers = {"x_ratelimit_limit": "200", "x_ratelimit_remaining": "2", "x_ratelimit_reset": "60"}
    async with Server(ok(**headers)) as server:
        session = server.session(
            buckets={"default": (Window(1000, 60.0),)}, listeners=[heard.append]
        )
        await session.send(thing())
        await session.send(thing(), timeout=0.2)
        # The last one is kept for orders.
        with pytest.raises(errors.RateLimitError) as caught:
            await session.send(thing(), timeout=0.2)

    assert len(server.requests) == 2
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.status_code is None
    observed = next(event for event in heard if isinstance(event, LimitObserved))
    assert (observed.limit, observed.remaining, observed.bucket) == (200, 2, "default")


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "٣", "1e3"])
async def test_a_quota_that_is_no_number_says_nothing(text):
    async with Server(ok(x_ratelimit_remaining=text.encode())) as server:
        session = server.session(buckets={"default": (Window(1000, 60.0),)})

        for _ in range(3):
            await session.send(thing(), timeout=0.2)


async def test_a_429_stops_the_others_until_it_is_over():
    async with Server(refusal(429, retry_after="30")) as server:
        session = server.session(buckets={"default": (Window(1000, 60.0),)})

        for _ in range(3):
            with pytest.raises(errors.RateLimitError) as caught:
                await session.send(thing(), timeout=0.2)

    assert len(server.requests) == 1
    assert 0 < caught.value.retry_after <= 31


@pytest.mark.parametrize("name", ["x_request_id", "apca_request_id", "request_id"])
async def test_the_vendors_request_id_is_in_the_error(name):
    async with Server(refusal(400, **{name: "abc-1, abc-1"})) as server:
        with pytest.raises(errors.BadRequestError) as caught:
            await server.session().send(thing())

    assert caught.value.request_id == "abc-1"
    assert caught.value.request == "GET https://api.test/thing"
    assert caught.value.operation == "GET /thing"
    assert caught.value.connector == "test"
    assert caught.value.elapsed is not None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_named_and_not_followed(status):
    async with Server(refusal(status, location="https://evil.test/x?key=1")) as server:
        with pytest.raises(errors.APIError, match=r"redirected .* evil\.test") as caught:
            await server.session().send(thing())

    assert len(server.requests) == 1
    assert caught.value.outcome is Outcome.REFUSED
    assert "key=1" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "outcome"),
    [
        (400, errors.BadRequestError, Outcome.REFUSED),
        (401, errors.AuthenticationError, Outcome.REFUSED),
        (403, errors.PermissionError, Outcome.REFUSED),
        (404, errors.NotFoundError, Outcome.REFUSED),
        (408, errors.APIError, Outcome.UNKNOWN),
        (409, errors.ConflictError, Outcome.REFUSED),
        (418, errors.APIError, Outcome.REFUSED),
        (422, errors.BadRequestError, Outcome.REFUSED),
        (425, errors.APIError, Outcome.UNKNOWN),
        (500, errors.ServerError, Outcome.UNKNOWN),
        (504, errors.ServerError, Outcome.UNKNOWN),
        (599, errors.ServerError, Outcome.UNKNOWN),
    ],
)
async def test_an_html_page_is_told_by_its_status(status, kind, outcome):
    page = "<!DOCTYPE html><html><body>" + "x" * 10_000 + "</body></html>"
    async with Server(refusal(status, page, content_type="text/html")) as server:
        with pytest.raises(kind) as caught:
            await server.session().send(write_once(1))

    assert caught.value.outcome is outcome
    assert caught.value.status_code == status
    assert str(status) in str(caught.value)
    assert "HTML page" in str(caught.value)
    assert len(str(caught.value)) < 200
    assert len(caught.value.body) <= 2048


async def test_an_html_page_under_200_is_a_decode_error():
    async with Server((200, {}, "<html>maintenance</html>")) as server:
        with pytest.raises(errors.DecodeError) as caught:
            await server.session(retry_attempts=1).send(thing())

    assert "status 200" in caught.value.__notes__[-1]
    assert "maintenance" in caught.value.__notes__[-1]


async def test_an_answer_that_breaks_its_promise_names_the_call_and_is_not_asked_again():
    broken = Api("broken").get("/b", returns=lambda raw: raw["missing"])(lambda: Parts())
    async with Server(ok({"a": 1})) as server:
        with pytest.raises(errors.DecodeError, match="GET /b promises") as caught:
            await server.session().send(broken())

    assert len(server.requests) == 1
    assert isinstance(caught.value.__cause__, KeyError)


async def test_rows_that_could_not_be_read_are_told():
    heard = []
    async with Server((200, {}, '[{"a": 1}, {}]')) as server:
        found = await server.session(listeners=[heard.append]).send(rows())

    assert found == [1]
    skipped = [event for event in heard if isinstance(event, RowSkipped)]
    assert [(event.index, event.reason) for event in skipped] == [(1, "KeyError: 'a'")]
    assert isinstance(heard[-1], CallEnded | RowSkipped)


# Asking once


async def test_market_data_is_asked_for_once_by_a_crowd():
    async with Server(lambda r: ok({"q": str(r.url)}), delay=0.005) as server:
        session = server.session()

        answers = await asyncio.gather(*(session.send(quote()) for _ in range(50)))
        again = await session.send(quote())

    assert answers == [again] * 50
    assert len(server.requests) == 2


async def test_other_questions_and_other_ways_of_asking_are_not_shared():
    async with Server(ok(), delay=0.005) as server:
        session = server.session()

        for ask in (
            lambda n: session.send(quote(f"S{n}")),
            lambda _: session.send(thing()),
            lambda _: session.send(ask_by_post()),
            lambda _: session.send(quote(), timeout=5),
            lambda _: session.send(quote(), retry=None),
        ):
            server.requests.clear()
            await asyncio.gather(*map(ask, range(5)))
            assert len(server.requests) == 5


@pytest.mark.parametrize(("places", "requests"), [(20, 4), (2, 2)])
async def test_nobody_asks_twice_while_others_wait_for_a_place(monkeypatch, places, requests):
    monkeypatch.setattr(TestConfig, "hedge_policy", HedgePolicy(after=0.02))
    async with Server(ok({"a": 1}), delay=0.1) as server:
        session = server.session(max_in_flight=places)
        await asyncio.gather(session.send(quote("A")), session.send(quote("B")))

        assert len(server.requests) == requests


async def test_an_error_is_shared_like_an_answer():
    async with Server(refusal(404), delay=0.005) as server:
        session = server.session()

        results = await asyncio.gather(
            *(session.send(quote()) for _ in range(10)), return_exceptions=True
        )

    assert {type(each) for each in results} == {errors.NotFoundError}
    assert len(server.requests) == 1


# Other people's clients and loops


async def test_a_users_client_is_used_and_never_closed():
    async with httpx.AsyncClient() as client, respx.mock(base_url="https://api.test") as mocked:
        mocked.get("/thing").respond(json={"a": 1.5})
        session, resources = a_session("https://api.test", client=client)

        answer = await session.send(thing())
        await resources.close()

        assert str(answer["a"]) == "1.5"
        assert mocked.calls.call_count == 1
        assert not client.is_closed


async def test_a_users_client_survives_a_connector():
    with respx.mock(base_url="https://api.massive.com") as mocked:
        status = {"market": "open", "serverTime": "2025-03-14T10:00:00-04:00"}
        route = mocked.route().respond(json=status)
        async with httpx.AsyncClient() as client:
            async with PolygonData({"api_key": "k-123456"}, client=client):
                pass
            assert not client.is_closed

    assert route.called
    assert route.calls[0].request.headers["authorization"] == "Bearer k-123456"


async def test_the_habits_of_a_users_client_are_not_taken_over():
    """Redirects, its own credentials and cookies would send keys where they do not belong."""
    async with Server(refusal(302, location="https://evil.test/")) as server:
        server.client.follow_redirects = True
        server.client.auth = ("user", "password")

        with pytest.raises(errors.APIError, match="redirected"):
            await server.session().send(thing())

    assert len(server.requests) == 1
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("leave", ["in time", "early"])
async def test_a_client_that_keeps_to_no_timeout_costs_no_place_for_ever(monkeypatch, leave):
    monkeypatch.setattr(exchange, "GRACE", 0.05)
    hang = True

    async def handle(request):
        if hang:
            await asyncio.Event().wait()
        return httpx.Response(200, content=b"{}")

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        session, resources = a_session("https://api.test", client=client, max_in_flight=4)
        calls = [asyncio.create_task(session.send(thing(), timeout=0.05)) for _ in range(3)]
        await asyncio.sleep(0.01)
        if leave == "early":
            for call in calls:
                call.cancel()
        await asyncio.wait(calls)
        assert session.in_flight == 3
        await asyncio.sleep(0.12)
        hang = False

        assert (session.in_flight, len(resources.tasks)) == (0, 0)
        assert await session.send(thing()) == {}


async def test_a_client_that_the_user_has_closed_is_named():
    client = httpx.AsyncClient()
    await client.aclose()
    session, _ = a_session("https://api.test", client=client, retry_attempts=1)

    with pytest.raises(errors.ConnectionError, match="client is closed") as caught:
        await session.send(write_once(1))
    assert caught.value.outcome is Outcome.NOT_SENT


async def serving(answers, port):
    """A server on this loop that answers every request with an empty object."""

    async def handle(reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                answers.append(1)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    return server, server.sockets[0].getsockname()[1]


def test_one_session_serves_two_loops_one_after_the_other():
    answers = []
    session, resources, port = None, None, 0

    async def use():
        nonlocal session, resources, port
        server, port = await serving(answers, port)
        if session is None:
            session, resources = a_session(f"http://127.0.0.1:{port}", max_in_flight=2)
        await asyncio.gather(*(session.send(thing()) for _ in range(10)))
        await asyncio.gather(*(session.send(quote(str(n))) for n in range(10)))
        await resources.close()
        server.close()
        # Every connection is seen to end.
        await asyncio.sleep(0.01)

    asyncio.run(use())
    asyncio.run(use())
    gc.collect()

    assert len(answers) == 40


def test_a_token_is_renewed_in_a_second_loop_as_well():
    vendor = Renewing()

    async def use(session):
        async with Server(vendor.answer, delay=0.001) as server:
            session = session or server.session(auth=vendor.auth(), max_in_flight=50)
            session._resources._given = server.client
            await asyncio.gather(*(session.send(thing()) for _ in range(20)))
            return session

    session = asyncio.run(use(None))
    vendor.good = vendor.given = "newer"
    asyncio.run(use(session))

    assert vendor.renewals == 2


async def test_two_sessions_of_one_key_share_their_quota_and_another_key_has_its_own():
    async with Server(ok()) as server:
        resources = Resources(client=server.client)

        def session(key):
            return Session(
                TestConfig(),
                "https://api.test",
                auth=HeaderAuth({}),
                resources=resources,
                buckets={"default": (Window(2, 60.0),)},
                credential=key,
            )

        first, twin, other = session("a"), session("a"), session("b")
        await first.send(thing())
        with pytest.raises(errors.RateLimitError):
            for _ in range(3):
                await twin.send(thing(), timeout=0.1)
        await other.send(thing(), timeout=0.1)


async def test_a_vendors_words_are_one_line_and_not_pages():
    text = json.dumps({"message": "bad\nERROR forged line\x1b[31m" + "A" * 100_000})
    async with Server(refusal(400, text)) as server:
        with pytest.raises(errors.BadRequestError) as caught:
            await server.session().send(api_with_words())

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (301, Outcome.REFUSED),
        (302, Outcome.UNKNOWN),
        (303, Outcome.UNKNOWN),
        (307, Outcome.REFUSED),
        (308, Outcome.REFUSED),
    ],
)
async def test_a_write_whose_result_is_told_elsewhere_may_have_been_done(status, outcome):
    async with Server(refusal(status, location="/orders/1")) as server:
        for write in (write_once(1), write_with_key(2)):
            with pytest.raises(errors.APIError, match="redirected") as caught:
                await server.session().send(write)
            assert caught.value.outcome is outcome

    assert len(server.requests) == 2


def test_a_redirect_does_not_show_a_secret_in_small_letters():
    redactor.add(["TopSecretKey"])
    answer = Answer(302, {"location": "http://TopSecretKey.test/"}, b"")
    error = from_answer(answer, thing(), None, now=datetime.now(UTC))
    redactor.remove(["TopSecretKey"])

    assert "topsecretkey" not in str(error).lower()


def test_a_redirect_to_what_is_no_url_is_an_error_of_ours():
    answer = Answer(302, {"location": "http://[::1"}, b"")
    error = from_answer(answer, thing(), None, now=datetime.now(UTC))

    assert isinstance(error, errors.APIError)
    assert "redirected (302) to what is no URL" in str(error)
