"""Pages ahead: the next is asked for early, few are held, and nothing is left behind."""

import asyncio
import gc
import json
import math
from contextlib import aclosing

import pytest

from scripted_server import answer, serving
from sentio_async import errors
from sentio_async.clock import SYSTEM_CLOCK
from sentio_async.http.ahead import PagesAhead, pages_of, text_near_the_end
from sentio_async.http.auth import NoAuth
from sentio_async.http.endpoint import Api, Parts
from sentio_async.models import Page
from sentio_async.resilience import with_deadline
from sentio_async.resilience.deadline import remaining
from sentio_async.resilience.limiter import Priority
from sentio_async.resilience.patience import patiently
from session_calls import a_session

api = Api("pages", priority=Priority.HISTORY)
events = []


def decoded(body):
    raw = json.loads(body)
    events.append(("decoded", raw["number"]))
    return raw


def read_page(raw):
    return Page([raw["number"]], raw["next"])


@api.get("/pages", returns=read_page, decode=decoded)
def page(number: str) -> Parts:
    """One page."""
    return Parts(query={"number": number})


class NotingAuth(NoAuth):
    """Notes every request when it is about to leave."""

    def sign(self, call):
        events.append(("left", int(call.query.removeprefix("number="))))
        return super().sign(call)


class Numbers:
    """From 0 on; ``guess`` turns the token in a page's bytes into the one that is believed."""

    def __init__(self, guess=lambda token: token):
        self.guess = guess

    def first(self):
        return page("0")

    def peek(self, call, body):
        token = text_near_the_end(body, b"next")
        guessed = None if token is None else self.guess(token)
        return None if guessed is None else page(guessed)

    def next(self, call, found):
        return None if found.next is None else page(found.next)


class Book:
    """Serves ``size`` pages; knows which were asked for and how many are under way."""

    def __init__(self, size, *, broken=(), slow=(), mute=()):
        self.size = size
        self.asked = []
        self.under_way = 0
        self.most = 0
        self.cancelled = 0
        self.broken = set(broken)
        self.slow = slow
        self.mute = mute

    def body(self, number):
        follower = str(number + 1) if number + 1 < self.size else None
        return json.dumps({"number": number, "rows": [0] * 9, "next": follower}).encode()

    async def send(self, call):
        number = int(call.query.removeprefix("number="))
        self.asked.append(number)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(5.0 if number in self.slow else 0.01)
            if number in self.mute:
                await asyncio.Event().wait()
            if number in self.broken:
                raise errors.DecodeError(f"page {number}")
            body = self.body(number)
            if call.heard is not None:
                await call.heard(body)
            return read_page(json.loads(body))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1


async def numbers_of(pages):
    return [number async for found in pages for number in found.items]


def others():
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.mark.parametrize("at_once", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [1, 2, 9])
@pytest.mark.looptime
async def test_every_page_comes_once_and_in_order(at_once, size):
    book = Book(size)

    found = await numbers_of(pages_of(book.send, Numbers(), at_once=at_once))

    assert found == list(range(size))
    assert book.asked == list(range(size))
    assert not others()


async def test_the_next_request_leaves_before_the_page_is_decoded():
    events.clear()
    book = Book(3)

    async def talk(peer, server):
        while (request := await peer.request()) is not None:
            number = int(request.split(b"number=")[1].split(b" ")[0])
            await peer.send(answer(book.body(number)))

    async with serving(talk) as server:
        session, resources = a_session(server.url, auth=NotingAuth())
        found = await numbers_of(pages_of(session.send, Numbers()))
        await resources.close()

    assert found == [0, 1, 2]
    assert events == [
        ("left", 0),
        ("left", 1),
        ("decoded", 0),
        ("left", 2),
        ("decoded", 1),
        ("decoded", 2),
    ]
    assert server.connections <= 2


@pytest.mark.looptime
async def test_with_one_at_a_time_no_page_is_asked_for_before_it_is_taken():
    book = Book(4)
    async with aclosing(pages_of(book.send, Numbers(), at_once=1)) as pages:
        for number in range(4):
            await anext(pages)
            await asyncio.sleep(0.1)

            assert book.asked == list(range(number + 1))


@pytest.mark.parametrize("at_once", [2, 3, 5])
@pytest.mark.looptime
async def test_no_more_pages_are_held_or_under_way_than_allowed(at_once):
    book = Book(20)
    async with aclosing(pages_of(book.send, Numbers(), at_once=at_once)) as pages:
        for taken in range(1, 10):
            await anext(pages)
            await asyncio.sleep(0.2)

            assert len(book.asked) - taken == at_once - 1


@pytest.mark.parametrize(
    "guess", [lambda _: None, lambda _: "0", lambda token: str(int(token) + 5)]
)
@pytest.mark.looptime
async def test_a_wrong_guess_changes_nothing_but_requests(guess):
    book = Book(8)

    found = await numbers_of(pages_of(book.send, Numbers(guess)))

    assert found == list(range(8))
    assert not others()


@pytest.mark.looptime
async def test_a_failure_comes_after_the_pages_before_it():
    book = Book(5, broken={2})
    found = []

    with pytest.raises(errors.DecodeError, match="page 2"):
        async for each in pages_of(book.send, Numbers()):
            found += each.items
            await asyncio.sleep(0.1)

    assert found == [0, 1]
    assert not others()


@pytest.mark.looptime
async def test_leaving_early_ends_what_is_under_way():
    book = Book(9, mute={3})
    pages = pages_of(book.send, Numbers(), at_once=4)
    await anext(pages)
    await asyncio.sleep(0.1)
    assert book.asked == [0, 1, 2, 3]

    await pages.aclose()

    assert book.cancelled == 1
    assert not others()


@pytest.mark.looptime
async def test_breaking_out_of_a_loop_leaves_no_task():
    book = Book(9, mute={1})
    async for _ in pages_of(book.send, Numbers()):
        await asyncio.sleep(0.05)
        break
    gc.collect()
    await asyncio.sleep(0.05)

    assert book.asked == [0, 1]
    assert book.under_way == 0
    assert not others()


@pytest.mark.parametrize("turns", range(0, 60, 3))
@pytest.mark.looptime
async def test_cancelling_the_reader_at_any_moment_leaves_no_task(turns):
    book = Book(9, mute={6})
    reader = asyncio.create_task(numbers_of(pages_of(book.send, Numbers(), at_once=3)))
    for _ in range(turns):
        await asyncio.sleep(0.002)

    reader.cancel()
    await asyncio.wait((reader,))

    await asyncio.sleep(0)
    assert reader.cancelled()
    assert book.under_way == 0
    assert not others()


@pytest.mark.own_pool
async def test_a_connection_of_a_page_nobody_waits_for_is_closed():
    book = Book(3)

    async def talk(peer, server):
        while (request := await peer.request()) is not None:
            number = int(request.split(b"number=")[1].split(b" ")[0])
            server.requests.append(number)
            if number:
                await peer.read(1)
                return
            await peer.send(answer(book.body(number)))

    async with serving(talk) as server:
        session, resources = a_session(server.url)
        async with aclosing(pages_of(session.send, Numbers())) as pages:
            await anext(pages)
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)

        assert server.requests == [0, 1]
        assert session.in_flight == 0
        assert resources.client.pool.busy == 0
        await resources.close()


@pytest.mark.looptime
async def test_a_deadline_is_the_readers_and_not_of_what_is_asked_for_ahead():
    book = Book(3, slow={2})
    pages = pages_of(book.send, Numbers())
    async with with_deadline(0.5):
        await anext(pages)
    await asyncio.sleep(1.0)
    assert (await anext(pages)).items == [1]

    with pytest.raises(errors.DeadlineExceededError):
        async with with_deadline(0.5):
            await anext(pages)
    assert not others()


@pytest.mark.looptime
async def test_what_is_asked_for_ahead_has_no_deadline_and_is_waited_for_within_the_readers():
    book, left = Book(3), []

    async def send(call):
        left.append(remaining(SYSTEM_CLOCK))
        return await book.send(call)

    async with aclosing(pages_of(send, Numbers())) as pages, with_deadline(0.5):
        found = [(await anext(pages)).items for _ in range(3)]

    assert found == [[0], [1], [2]]
    assert 0.4 < left[0] <= 0.5
    assert left[1:] == [math.inf, math.inf]


async def test_a_walk_that_wants_nothing_asks_for_nothing():
    class Nothing(Numbers):
        def first(self):
            return None

    book = Book(3)

    assert await numbers_of(pages_of(book.send, Nothing())) == []
    assert book.asked == []


@pytest.mark.looptime
async def test_a_page_that_comes_before_the_one_that_leads_to_it_waits_for_it():
    book = Book(4)
    is_second = False

    async def send(call):
        nonlocal is_second
        number = int(call.query.removeprefix("number="))
        if number == 1 and not is_second:
            is_second = True
            await call.heard(book.body(1))
            # As a session does that asks again for an answer it could not decode.
            await asyncio.sleep(1.0)
        return await book.send(call)

    ahead = PagesAhead(send, Numbers(), at_once=4)

    assert (await ahead.take()).items == [0]
    assert (await ahead.take()).items == [1]
    assert (await ahead.take()).items == [2]
    await ahead.leave()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"rows":[],"next":"a\\u0026b="}', "a&b="),
        (b'{"rows":[], "next" : "x", "symbol": "KO"}', "x"),
        (b'{"next":null}', None),
        (b'{"next":7}', None),
        (b'{"next":"cut', None),
        (b'{"next":"\\q"}', None),
        (b'{"text":"\\"next\\":\\"no\\""}', None),
        (b'{"next":"far"' + b" " * 5000 + b"}", None),
        (b'{"ab":"x"}', None),
        (b"", None),
    ],
)
def test_a_text_is_read_from_the_end_of_an_answer(body, found):
    assert text_near_the_end(body, b"next") == found


@pytest.mark.looptime
async def test_a_walk_that_has_time_waits_for_a_quota_and_goes_on_with_the_same_page():
    book = Book(4)
    refusals = [errors.RateLimitError("200 per minute", retry_after=45.0)]

    async def send(call):
        if call.query == "number=2" and refusals:
            raise refusals.pop()
        return await book.send(call)

    with patiently():
        found = await numbers_of(pages_of(send, Numbers()))

    assert found == book.asked == [0, 1, 2, 3]
    assert asyncio.get_running_loop().time() == pytest.approx(45.0, abs=0.5)


@pytest.mark.looptime
@pytest.mark.parametrize("outcome", [errors.Outcome.NOT_SENT, errors.Outcome.REFUSED])
async def test_a_page_that_had_no_quota_ahead_of_time_is_asked_for_when_it_is_wanted(outcome):
    book = Book(3)
    refusals = [errors.RateLimitError("5 per minute", retry_after=40.0, outcome=outcome)]

    async def send(call):
        if call.query == "number=1" and refusals:
            raise refusals.pop()
        return await book.send(call)

    found = []
    try:
        async for each in pages_of(send, Numbers()):
            found += each.items
            await asyncio.sleep(60.0)
    except errors.RateLimitError:
        assert outcome is errors.Outcome.REFUSED
        assert found == [0]
    else:
        assert found == [0, 1, 2]
    assert not others()
