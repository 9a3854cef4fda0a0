"""Secrets are taken out of texts in every form, and out of what other libraries log."""

import base64
import json
import logging
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentio_async.http import redaction
from sentio_async.http.redaction import REDACTED, Redactor, install_log_filters, redactor

SECRET = "s3cret/with+odd=chars & more%"
BASE64 = [SECRET, f"{SECRET}x", f"{SECRET}xy", "ab/d+f", "abcdefgh", ">>>???~~~>>>???"]


@pytest.fixture
def hiding():
    found = Redactor()
    found.add([SECRET])
    return found


@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda text: quote(text, safe=""),
        quote,
        quote_plus,
        lambda text: repr(text),
        lambda text: repr(text.encode()),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
        lambda text: base64.b64encode(f"\0u\0{text}".encode()).decode(),
        lambda text: base64.b64encode(f"users:{text}\n".encode()).decode(),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(hiding, write):
    shown = hiding.scrub(f"before {write(SECRET)} after")

    assert REDACTED in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert SECRET[3:12] not in shown


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=4, max_size=30), st.binary(max_size=5), st.binary(max_size=5))
def test_any_secret_is_hidden_inside_any_base64(secret, before, after):
    hiding = Redactor()
    hiding.add([secret])
    raw = secret.encode("utf-8", "surrogatepass")
    text = base64.b64encode(before + raw + after).decode()

    assert secret not in hiding.scrub(f"x {secret} y")
    if len(raw) >= 9:
        assert hiding.scrub(text) != text


@pytest.mark.parametrize("secret", BASE64)
@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_in_base64_no_letter_stays_that_only_the_secret_decides(secret, before, after, encode):
    def written(neighbour):
        return encode(neighbour * before + secret.encode() + neighbour * after).decode()

    text, other = written(b"\0"), written(b"\xff")
    own = [at for at, both in enumerate(zip(text, other, strict=True)) if both[0] == both[1] != "="]
    hiding = Redactor()
    hiding.add([secret])

    if len(own) >= 8:
        assert hiding.scrub(text) == f"{text[: own[0]]}{REDACTED}{text[own[-1] + 1 :]}"


@pytest.mark.parametrize(
    "line",
    [
        "GET https://x/v2?apiKey=abcdef&limit=5",
        "authorization: Bearer abcdef",
        "{'authorization': 'Basic abcdef'}",
        '{"api_key": "abcdef", "a": 1}',
        "token=abcdef;",
        "APCA-API-SECRET-KEY: abcdef",
        "password='abcdef'",
        "X-Signature=abcdef",
    ],
)
def test_what_is_called_a_secret_is_hidden_even_if_nobody_told(line):
    shown = Redactor().scrub(line)

    assert "abcdef" not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "line", ["GET /v2/orders 200", "tokens left: many", "the api key is wrong", "secretary 5"]
)
def test_other_text_stays(line):
    assert Redactor().scrub(line) == line


def test_it_is_hidden_until_the_last_user_is_gone(hiding):
    hiding.add([SECRET])
    hiding.remove([SECRET])
    assert hiding.scrub(SECRET) == REDACTED

    hiding.remove([SECRET])
    assert hiding.scrub(SECRET) == SECRET
    hiding.remove([SECRET])
    hiding.add([SECRET])
    assert hiding.scrub(SECRET) == REDACTED


def test_a_very_short_secret_does_not_blank_everything():
    hiding = Redactor()
    hiding.add(["a", ""])

    assert hiding.scrub("a banana") == "a banana"


def test_the_longest_secret_wins():
    hiding = Redactor()
    hiding.add(["secret", "secret-and-more"])

    assert hiding.scrub("x secret-and-more y") == f"x {REDACTED} y"


def test_one_more_secret_does_not_cost_all_the_others_again(monkeypatch):
    prepared = []
    prepare = redaction._pattern_of
    monkeypatch.setattr(redaction, "_pattern_of", lambda s: prepared.append(s) or prepare(s))
    hiding, secrets = Redactor(), [f"secret-{number:03d}" for number in range(100)]
    for secret in secrets:
        hiding.add([secret])
    hiding.remove(secrets[:50])

    assert prepared == secrets
    assert hiding.scrub("secret-049 secret-050") == f"secret-049 {REDACTED}"


def test_values_from_json_are_scrubbed_all_through(hiding):
    raw = {"a": [SECRET, 1, None, "plain"], SECRET: {"b": (f"x{SECRET}", True)}}

    assert hiding.scrub_all(raw) == {
        "a": [REDACTED, 1, None, "plain"],
        REDACTED: {"b": [f"x{REDACTED}", True]},
    }
    assert hiding.knows_any_in(f"x{SECRET}")
    assert not hiding.knows_any_in("nothing")
    assert not Redactor().knows_any_in("nothing")


@pytest.fixture
def heard():
    class Ear(logging.Handler):
        def __init__(self):
            super().__init__()
            self.texts = []

        def emit(self, record):
            self.texts.append(self.format(record))

    ear = Ear()
    root = logging.getLogger()
    root.addHandler(ear)
    redactor.add([SECRET])
    install_log_filters()
    install_log_filters()
    yield ear.texts
    redactor.remove([SECRET])
    root.removeHandler(ear)


@pytest.mark.parametrize(
    "name", ["httpx", "httpcore.http11", "httpcore.connection", "aiosmtplib", "sentio_async"]
)
def test_what_libraries_log_is_scrubbed_and_never_dropped(heard, name):
    log = logging.getLogger(name)
    log.warning("sent %s to %r", SECRET, {"key": SECRET})
    log.warning("nothing to hide in %d", 5)
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("failed")

    assert len(heard) == 3
    assert SECRET not in "".join(heard)
    assert "nothing to hide in 5" in heard[1]
    assert "ValueError" in heard[2]


def test_scrubbing_a_long_text_is_quick(hiding):
    text = "token " * 200_000
    started = time.perf_counter()

    hiding.scrub(text)

    assert time.perf_counter() - started < 2.0


def test_the_redactor_does_not_show_what_it_knows(hiding):
    assert repr(hiding) == "<Redactor of 1 secrets>"


@pytest.mark.parametrize("slash", ["/", "\\/"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_secret_is_hidden_as_json_writes_it(slash: str, is_ascii: bool) -> None:
    redactor = Redactor()
    redactor.add(['ab"c\\d/e+fé9'])
    echo = json.dumps('ab"c\\d/e+fé9', ensure_ascii=is_ascii).replace("/", slash)

    assert redactor.scrub(f"not a key: {echo}") == f'not a key: "{REDACTED}"'


@pytest.mark.parametrize(
    "secret", ["both ' and \"", "back\\slash", "line\nend", "four", 'clé d\'un "ami"']
)
@pytest.mark.parametrize("write", [repr, lambda text: repr(text.encode())])
def test_a_secret_is_hidden_as_python_shows_it(secret: str, write) -> None:
    redactor = Redactor()
    redactor.add([secret])
    shown = write(secret)
    quote = shown[-1]

    assert redactor.scrub(shown) == f"{shown.partition(quote)[0]}{quote}{REDACTED}{quote}"


def test_a_secret_is_hidden_as_python_shows_its_bytes() -> None:
    redactor = Redactor()
    redactor.add(["clé-canari"])

    assert redactor.scrub(repr("clé-canari".encode())) == f"b'{REDACTED}'"


def test_a_secret_is_hidden_whatever_the_case_of_its_percent_signs() -> None:
    redactor = Redactor()
    redactor.add(["ab/cd=ef"])

    assert redactor.scrub("ab%2fcd%3def ab%2Fcd%3Def") == f"{REDACTED} {REDACTED}"


@given(st.text(min_size=4).filter(str.isprintable), st.sets(st.sampled_from("/:@,=+$!*'();?&")))
@example("110201543:path+token/2", {":"})
def test_a_secret_is_hidden_whatever_a_url_leaves_as_it_is(secret: str, safe: set[str]) -> None:
    redactor = Redactor()
    redactor.add([secret])

    assert redactor.scrub(f"<{quote(secret, safe=''.join(safe))}>") == f"<{REDACTED}>"
    assert redactor.scrub(f"<{quote_plus(secret, safe=''.join(safe))}>") == f"<{REDACTED}>"


def test_a_secret_with_a_name_is_replaced_once(hiding):
    url = f"https://x.test/query?symbol=IBM&apikey={quote(SECRET, safe='')}&size=1"

    assert hiding.scrub(url) == f"https://x.test/query?symbol=IBM&apikey={REDACTED}&size=1"
    assert hiding.scrub(hiding.scrub(url)) == hiding.scrub(url)


def test_a_finalizer_may_run_in_the_middle_of_a_change(monkeypatch):
    hides, garbage = Redactor(), [["second secret"]]
    hides.add(["first secret", "second secret"])
    forms = redaction._forms

    def collecting(secret):
        while garbage:
            hides.remove(garbage.pop())
        return forms(secret)

    monkeypatch.setattr(redaction, "_forms", collecting)
    hides.add(["third secret"])

    assert hides.scrub("third secret, second secret") == f"{REDACTED}, second secret"
