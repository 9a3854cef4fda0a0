"""Keys that a vendor takes in the query or in the path only: sent, and seen nowhere else."""

import asyncio
import gc
import json

import httpx
import pytest
from pydantic import SecretStr

from canary_watch import Canaries, Watch
from scripted_server import always, answer, serving
from sentio_async import errors
from sentio_async.http.auth import NoAuth, PathAuth, QueryAuth
from sentio_async.http.endpoint import Api, Parts, Problem
from sentio_async.http.redaction import Hidden, redactor
from session_calls import a_session

KEY = "canary+query/key=&%1"
TOKEN = "110201543:canary-path+token/2"
SENT = {
    "query": b"/find?q=a%20b&apikey=canary%2Bquery%2Fkey%3D%26%251",
    "path": b"/bot110201543:canary-path%2Btoken%2F2/find/x%2Fy?q=a%20b",
}
SHOWN = {"query": "/find?q=a%20b", "path": "/bot{token}/find/x%2Fy?q=a%20b"}


def find_failure(raw):
    """A failure that is told in an answer of status 200."""
    return Problem(raw["error"], details=raw) if "error" in raw else None


query_api = Api("query", check=find_failure)
path_api = Api("path", check=find_failure, secrets=("token",))


@query_api.get("/find", returns=lambda raw: raw)
def find_by_query(text="a b") -> Parts:
    return Parts(query={"q": text})


@query_api.get("/find", returns=lambda raw: raw, authenticated=False)
def find_without_proof() -> Parts:
    return Parts()


@path_api.get("/bot{token}/find/{name}", returns=lambda raw: raw)
def find_by_path(text="a b") -> Parts:
    return Parts(path={"name": "x/y"}, query={"q": text})


@path_api.post("/bot{token}/send", returns=lambda raw: raw)
def send() -> Parts:
    return Parts(json={"n": 1})


WAYS = {
    "query": (find_by_query, lambda: QueryAuth({"apikey": SecretStr(KEY)})),
    "path": (find_by_path, lambda: PathAuth({"token": SecretStr(TOKEN)})),
}


def target_of(request):
    return request.split(b" ", 2)[1]


@pytest.mark.parametrize("door", ["ours", "theirs"])
@pytest.mark.parametrize("way", WAYS)
async def test_it_is_sent(way, door):
    find, auth = WAYS[way]
    async with serving(always(answer(b"{}"))) as server, httpx.AsyncClient() as theirs:
        session, resources = a_session(
            server.url, client=theirs if door == "theirs" else None, auth=auth()
        )
        for _ in range(2):
            assert await session.send(find()) == {}
        await resources.close()

    assert [target_of(request) for request in server.requests] == [SENT[way]] * 2


async def test_a_call_without_a_query_gets_one_and_one_without_proof_gets_none():
    plain = Api("plain")

    @plain.get("/plain", returns=lambda raw: raw)
    def ask() -> Parts:
        return Parts()

    async with serving(always(answer(b"{}"))) as server:
        auth = QueryAuth({"user": SecretStr("somebody"), "api key": SecretStr("s3cret")})
        session, resources = a_session(server.url, auth=auth)
        await session.send(ask())
        await session.send(find_without_proof())
        await resources.close()

    sent = [target_of(request) for request in server.requests]
    assert sent == [b"/plain?user=somebody&api%20key=s3cret", b"/find"]


async def test_a_post_has_its_body_as_well():
    async with serving(always(answer(b"{}"))) as server:
        session, resources = a_session(server.url, auth=PathAuth({"token": SecretStr("1:t0ken")}))
        await session.send(send())
        await resources.close()

    assert target_of(server.requests[0]) == b"/bot1:t0ken/send"
    assert server.requests[0].endswith(b'{"n":1}')


@pytest.mark.parametrize("way", WAYS)
def test_a_call_knows_nothing_of_it(way):
    find, _ = WAYS[way]
    call = find()

    assert call.target == SHOWN[way]
    assert call.identity == find().identity != find("other").identity


@pytest.mark.parametrize("way", WAYS)
async def test_callers_who_ask_the_same_still_share_a_request(way):
    find, auth = WAYS[way]
    async with serving(always(answer(b"{}"))) as server:
        session, resources = a_session(server.url, auth=auth())
        await asyncio.gather(*(session.send(find()) for _ in range(20)))
        await resources.close()

    assert len(server.requests) == 1


FAILURES = {
    "refused": answer(b'{"message": "no"}', status=b"403 Forbidden"),
    "down": answer(b"", status=b"503 Service Unavailable"),
    "moved": answer(b"", b"location: https://other.test/x", status=b"302 Found"),
    "nonsense": answer(b"<html>"),
    "echo in 200": answer(json.dumps({"error": f"is {KEY} or {TOKEN} yours?"}).encode()),
    "echo in 400": answer(f"{KEY} {TOKEN}".encode(), status=b"400 Bad Request"),
}


@pytest.mark.parametrize("door", ["ours", pytest.param("theirs", marks=pytest.mark.slow)])
@pytest.mark.parametrize("way", WAYS)
async def test_no_log_error_traceback_event_or_repr_shows_it(way, door):
    find, auth = WAYS[way]
    canaries = Canaries({way: {"query": KEY, "path": TOKEN}[way]})
    with Watch() as watch:
        await suffer(canaries, find, auth, door)
    for text in watch.texts:
        canaries.see("log", text)

    assert not canaries.leaks(), "\n\n".join(canaries.leaks()[:8])
    assert any("find" in text for text in watch.texts)


async def suffer(canaries, find, auth, door):
    """One answer of each kind, and of each a server that has gone."""
    talks = {name: always(told) for name, told in {"fine": answer(b"{}"), **FAILURES}.items()}
    for name, talk in {**talks, "cut": cut_off, "silence": silent}.items():
        async with serving(talk) as server, httpx.AsyncClient(verify=False) as theirs:
            client = theirs if door == "theirs" else None
            session, resources = a_session(
                server.url, client=client, auth=auth(), retry_attempts=1, breaker_failures=100
            )
            resources.listeners.append(lambda event: canaries.see("event", event))
            await once(canaries, name, session, find())
            # Nobody listens there any more.
            nowhere, _ = a_session("http://127.0.0.1:9/base", auth=auth(), retry_attempts=1)
            await once(canaries, "nobody", nowhere, find())
            canaries.see("session", session, vars(session), vars(nowhere), session._auth)
            canaries.see("auth", vars(session._auth), session.stats, session.breakers, nowhere.host)
            await resources.close()
            await nowhere._resources.close()


async def once(canaries, name, session, call):
    try:
        async with asyncio.timeout(0.1):
            await session.send(call)
    except errors.ConnectorError as exc:
        canaries.see_error(name, exc)
        assert exc.request is None or "/find" in exc.request
    except TimeoutError as exc:
        canaries.see_error(name, exc)
        assert name == "silence"
    else:
        assert name == "fine"


async def cut_off(peer, _server):
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")


async def silent(peer, _server):
    await peer.request()
    await asyncio.sleep(5)


async def test_an_error_says_what_was_asked():
    async with serving(always(FAILURES["refused"])) as server:
        for way, (find, auth) in WAYS.items():
            session, resources = a_session(server.url, auth=auth())
            with pytest.raises(errors.PermissionError) as caught:
                await session.send(find())
            await resources.close()

            assert caught.value.request == f"GET {server.url}{SHOWN[way]}"


@pytest.mark.parametrize("text", ["", " ", f"{KEY}\n", f" {KEY}", f"{KEY}\x00", f"{KEY}ü"])
@pytest.mark.parametrize("kind", [QueryAuth, PathAuth])
def test_a_secret_that_cannot_be_right_is_refused_and_not_shown(kind, text):
    place = "part token" if kind is PathAuth else "member token"
    secrets = {"token": SecretStr(text)}
    with pytest.raises(errors.ConfigurationError, match=place) as caught:
        kind(secrets)

    canaries = Canaries({"it": KEY})
    canaries.see_error("refused", caught.value)
    assert not canaries.leaks()


@pytest.mark.parametrize("text", [".", ".."])
def test_a_secret_in_a_path_is_not_another_place(text):
    with pytest.raises(errors.ConfigurationError):
        PathAuth({"token": SecretStr(text)})


def test_what_is_no_secret_is_still_asked_for():
    with pytest.raises(TypeError, match="needs name"):
        path_api.get("/bot{token}/find/{name}", returns=dict)(lambda: Parts())()


def test_no_path_has_a_secret_that_nobody_puts_in():
    with pytest.raises(TypeError, match="token"):
        path_api.get("/bot{token}/me", returns=dict, authenticated=False)(lambda: Parts())


async def test_proof_of_a_vendors_own_may_change_after_a_401():
    """A cookie and a word in the query, got together."""

    class Crumb(NoAuth):
        word = "old-crumb"

        def aim(self, call):
            return f"{call.target}?crumb={self.word}"

        async def refresh(self):
            self.word = "new-crumb"
            return True

    plain = Api("plain")

    @plain.get("/plain", returns=lambda raw: raw)
    def ask() -> Parts:
        return Parts()

    def told(request):
        return httpx.Response(200 if "new-crumb" in str(request.url) else 401, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(told)) as client:
        session, _ = a_session("https://api.test", client=client, auth=Crumb())

        assert await session.send(ask()) == {}


def test_the_last_two_secrets_of_an_owner_are_hidden_while_it_lives():
    hidden = Hidden()
    for secret in ("first-secret", "second-secret", "third-secret"):
        hidden.add(secret)

    assert not redactor.knows_any_in("first-secret")
    assert redactor.scrub("second-secret third-secret") == "[secret] [secret]"
    del hidden
    gc.collect()
    assert not redactor.knows_any_in("second-secret third-secret")
