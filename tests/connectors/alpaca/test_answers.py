"""What the broker makes of answers that no simulator gives: proxies, outages, odd words."""

import json

import httpx
import pytest
import respx

from connectors.alpaca.own_payloads import body, payload
from sentio_async import errors
from sentio_async.connectors.alpaca.broker import AlpacaBroker
from sentio_async.errors import Outcome

KEYS = {"api_key": "PK0123456789", "api_secret": "hush-hush-hush"}
HTML = "<html><head><title>403 Forbidden</title></head><body>nginx</body></html>"
MINE = {"client_order_id": "mine"}
ENDED = {"code": 42210000, "message": 'order is already in "canceled" state'}
DUPLICATE = {"code": 40010001, "message": "client_order_id must be unique"}


@pytest.fixture
def alpaca():
    with respx.mock(base_url="https://paper-api.alpaca.markets", assert_all_called=False) as mocked:
        # Orders belong to an account, which is asked for before the first of them.
        mocked.get("/v2/account").respond(content=body("account"))
        yield mocked


@pytest.fixture
def broker():
    return AlpacaBroker(KEYS)


def buy(broker, **changes):
    given = {"order_type": "limit", "limit_price": "150.25", **MINE, **changes}
    return broker.place_order("ACME", "10", "buy", **given)


def ids_in(post):
    return {json.loads(call.request.content)["client_order_id"] for call in post.calls}


def placed(**changes):
    return httpx.Response(200, content=body("order_partly_filled", **MINE, **changes))


async def test_the_keys_go_in_the_headers_and_nowhere_else(alpaca, broker):
    route = alpaca.get("/v2/account").respond(content=body("account"))

    await broker.get_account()

    request = route.calls.last.request
    assert request.headers["apca-api-key-id"] == KEYS["api_key"]
    assert request.headers["apca-api-secret-key"] == KEYS["api_secret"]
    assert KEYS["api_key"] not in str(request.url)


async def test_a_token_goes_as_a_bearer(alpaca):
    route = alpaca.get("/v2/account").respond(content=body("account"))

    account = await AlpacaBroker({"oauth_token": "somebodys-token"}).get_account()

    assert route.calls.last.request.headers["authorization"] == "Bearer somebodys-token"
    assert account.is_paper


async def test_a_refused_order_says_why_in_alpacas_words(alpaca, broker):
    alpaca.post("/v2/orders").respond(
        403,
        json={"code": 40310000, "message": "insufficient buying power", "buying_power": "5.25"},
    )

    with pytest.raises(errors.OrderRejectedError, match="insufficient buying power") as caught:
        await buy(broker)

    assert caught.value.code == 40310000
    assert caught.value.details["buying_power"] == "5.25"
    assert caught.value.outcome is Outcome.REFUSED


async def test_an_id_that_was_used_before_is_a_conflict(alpaca, broker):
    alpaca.post("/v2/orders").respond(422, json=DUPLICATE)
    alpaca.get("/v2/orders:by_client_order_id").mock(return_value=placed(status="filled"))

    with pytest.raises(errors.ConflictError) as caught:
        await buy(broker)

    assert caught.value.code == 40010001


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthenticationError),
        (403, errors.PermissionError),
        (404, errors.NotFoundError),
        (422, errors.BadRequestError),
    ],
)
async def test_an_answer_in_html_is_classified_by_its_status(alpaca, broker, status, kind):
    alpaca.post("/v2/orders").respond(status, html=HTML)

    with pytest.raises(kind) as caught:
        await buy(broker)

    assert not isinstance(caught.value, errors.OrderRejectedError)


async def test_an_error_without_a_code_is_read(alpaca, broker):
    alpaca.get("/v2/account").respond(401, json={"message": "unauthorized."})

    with pytest.raises(errors.AuthenticationError, match="unauthorized"):
        await broker.connect()


async def test_what_is_not_there_is_not_found(alpaca, broker):
    gone = {"code": 40410000, "message": "position does not exist"}
    alpaca.get("/v2/positions/ACME").respond(404, json=gone)

    with pytest.raises(errors.NotFoundError, match="position does not exist"):
        await broker.get_position("ACME")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(504, json={"code": 50410000, "message": "request timed out"}),
        httpx.Response(500, json={"code": 50010000, "message": "internal server error"}),
        httpx.Response(200, html=HTML),
        httpx.Response(200, json={"id": "1"}),
        httpx.Response(200, content=b""),
    ],
    ids=["504", "500", "html", "not an order", "empty"],
)
async def test_an_order_that_may_have_arrived_is_looked_up_and_not_sent_twice(
    alpaca, broker, answer
):
    post = alpaca.post("/v2/orders").mock(return_value=answer)
    alpaca.get("/v2/orders:by_client_order_id").mock(return_value=placed())

    order = await buy(broker)

    assert order.client_order_id == "mine"
    assert post.call_count == 1


@pytest.mark.looptime
async def test_an_order_that_is_not_shown_may_still_arrive(alpaca, broker):
    post = alpaca.post("/v2/orders").respond(504)
    find = alpaca.get("/v2/orders:by_client_order_id")
    find.respond(404, json={"code": 40410000, "message": "order not found"})

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await buy(broker)
    find.mock(return_value=placed())
    order = await caught.value.handle.resolve()

    assert order.client_order_id == "mine"
    assert ids_in(post) == {"mine"}
    await broker.disconnect()


@pytest.mark.looptime
async def test_an_order_whose_status_is_a_new_word_is_not_guessed(alpaca, broker):
    alpaca.post("/v2/orders").mock(return_value=placed(status="levitating"))
    alpaca.get("/v2/orders:by_client_order_id").mock(return_value=placed(status="levitating"))

    with pytest.raises(errors.OrderOutcomeUnknownError) as caught:
        await buy(broker)

    assert isinstance(caught.value.__cause__, errors.UnknownWordError)
    await broker.disconnect()


@pytest.mark.looptime
async def test_a_throttled_order_goes_again_under_the_same_id(alpaca, broker):
    throttled = httpx.Response(429, json={"code": 42910000, "message": "rate limit exceeded"})
    post = alpaca.post("/v2/orders").mock(side_effect=[throttled, placed()])

    order = await buy(broker)

    assert order.client_order_id == "mine"
    assert post.call_count == 2
    assert ids_in(post) == {"mine"}


@pytest.mark.looptime
async def test_a_cancel_is_sent_until_it_is_heard(alpaca, broker):
    delete = alpaca.delete("/v2/orders/7").mock(
        side_effect=[httpx.Response(503), httpx.Response(204)]
    )

    await broker.cancel_order("7")

    assert delete.call_count == 2


@pytest.mark.looptime
@pytest.mark.parametrize("text", [HTML, "[" * 1000, '{"price": NaN}', "{}"])
async def test_a_cancel_that_somebody_else_answers_was_not_heard(alpaca, broker, text):
    alpaca.delete("/v2/orders/7").respond(200, text=text)

    with pytest.raises(errors.DecodeError, match="must have none") as caught:
        await broker.cancel_order("7")

    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v2/positions/ACME240126C00050000/exercise", "exercise_option"),
        ("POST", "/v2/positions/ACME240126C00050000/do-not-exercise", "do_not_exercise_option"),
        ("DELETE", "/v2/watchlists/ACME240126C00050000", "delete_watchlist"),
    ],
)
async def test_what_is_done_without_a_body_is_not_done_by_an_answer_with_one(
    alpaca, broker, method, path, name
):
    alpaca.route(method=method, path=path).mock(
        side_effect=[httpx.Response(200), httpx.Response(200, html=HTML)]
    )

    await getattr(broker, name)("ACME240126C00050000")
    with pytest.raises(errors.DecodeError, match="must have none"):
        await getattr(broker, name)("ACME240126C00050000")


@pytest.mark.looptime
@pytest.mark.parametrize("status", ["canceled", "filled"])
async def test_a_cancel_whose_answer_was_lost_ends_as_the_order_did(alpaca, broker, status):
    alpaca.delete("/v2/orders/7").mock(
        side_effect=[httpx.ReadError("gone"), httpx.Response(422, json=ENDED)]
    )
    alpaca.get("/v2/orders/7").mock(return_value=placed(status=status))

    if status == "canceled":
        await broker.cancel_order("7")
        return
    with pytest.raises(errors.BadRequestError, match="already"):
        await broker.cancel_order("7")


@pytest.mark.looptime
async def test_reading_is_tried_again_after_an_outage(alpaca, broker):
    alpaca.get("/v2/positions").mock(
        side_effect=[httpx.Response(503), httpx.Response(200, json=[])]
    )

    assert await broker.get_positions() == []


@pytest.mark.parametrize(
    ("path", "name", "arguments"),
    [
        ("/v2/positions/ACME", "close_position", ("ACME",)),
        ("/v2/positions", "close_all_positions", ()),
    ],
)
async def test_closing_is_never_sent_twice(alpaca, broker, path, name, arguments):
    delete = alpaca.delete(path).respond(504)

    with pytest.raises(errors.ServerError) as caught:
        await getattr(broker, name)(*arguments)

    assert delete.call_count == 1
    assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_bulk_answer_is_not_success_because_its_status_is_207(alpaca, broker):
    alpaca.delete("/v2/orders").respond(207, content=body("cancel_all"))
    alpaca.delete("/v2/positions").respond(207, content=body("close_all"))

    cancelled = await broker.cancel_all_orders()
    closed = await broker.close_all_positions(cancel_orders=True)

    assert [result.accepted for result in cancelled] == [True, False, False]
    assert [result.accepted for result in closed] == [True, False, True]


async def test_the_keys_do_not_follow_a_redirect(alpaca, broker):
    alpaca.get("/v2/account").respond(302, headers={"location": "https://elsewhere.example/"})

    with pytest.raises(errors.APIError, match=r"elsewhere\.example"):
        await broker.get_account()


@pytest.mark.looptime
async def test_an_object_that_names_its_status_twice_is_not_read(alpaca, broker):
    text = body("order_partly_filled").decode().replace("{", '{"status": "filled",', 1)
    alpaca.get("/v2/orders/7").respond(content=text.encode())

    with pytest.raises(errors.DecodeError):
        await broker.get_order("7")


async def test_a_blocked_account_is_degraded_and_not_down(alpaca, broker):
    alpaca.get("/v2/account").respond(content=body("account"))

    report = await broker.health_check()

    assert "blocked" in report.reason
    assert report.status.value == "degraded"


async def test_orders_are_read_over_several_pages(alpaca, broker):
    def page(request):
        before = request.url.params.get("before_order_id")
        numbers = range(3) if before is None else range(int(before) + 1, int(before) + 2)
        rows = []
        for n in numbers:
            at = f"2026-03-02T14:30:{50 - n}Z"
            rows.append(payload("order_partly_filled", id=str(n), submitted_at=at))
        return httpx.Response(200, json=rows)

    alpaca.get("/v2/orders").mock(side_effect=page)

    found = [order.id async for order in broker.iter_orders(page_size=3)]

    assert found == ["0", "1", "2"]
