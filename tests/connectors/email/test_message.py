"""What goes into a message, and what cannot be smuggled into one."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentio_async import errors
from sentio_async.connectors.email.message import (
    Letter,
    build_message,
    envelope_of,
    flatten,
    message_id_for,
    plain_address,
)
from sentio_async.models import Attachment, NoticePriority

LETTER = Letter(
    sender="Bot <bot@sentio.test>",
    to=("a@x.test",),
    subject="filled",
    text="10 AAPL",
    message_id="<e1@sentio.test>",
    date=datetime(2026, 11, 24, 15, 30, tzinfo=UTC),
)
LINE_ENDS = ("\r\n", "\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x00", "\x1c")


def a_letter(**changes):
    return replace(LETTER, **changes)


def sent(letter):
    return email.message_from_bytes(flatten(build_message(letter)), policy=email.policy.default)


def headers_of(letter):
    return flatten(build_message(letter)).split(b"\r\n\r\n", 1)[0].decode()


def test_a_message_says_who_when_and_that_a_machine_wrote_it():
    message = sent(LETTER)

    assert message["From"] == "Bot <bot@sentio.test>"
    assert message["Date"] == "Tue, 24 Nov 2026 15:30:00 +0000"
    assert message["Message-ID"] == "<e1@sentio.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message.get_content().strip() == "10 AAPL"


def test_blind_copies_are_in_the_envelope_and_nowhere_in_the_message():
    letter = a_letter(to=("a@x.test",), cc=("b@x.test",), bcc=("secret@x.test",))

    assert envelope_of(letter) == ("a@x.test", "b@x.test", "secret@x.test")
    assert b"secret@x.test" not in flatten(build_message(letter))
    assert b"bcc" not in flatten(build_message(letter)).lower()


def test_a_message_to_blind_copies_alone_shows_nobody():
    message = sent(a_letter(to=(), bcc=("secret@x.test",)))

    assert message["To"] == "undisclosed-recipients:;"


def test_nobody_gets_it_twice():
    letter = a_letter(to=("a@x.test", "A <a@X.test>"), cc=("a@x.TEST",), bcc=("A@x.test",))

    assert envelope_of(letter) == ("a@x.test", "A@x.test")


def test_nobody_at_all_is_refused():
    with pytest.raises(errors.InvalidRequestError, match="nobody"):
        envelope_of(a_letter(to=()))


def test_parts_are_nested_as_mail_clients_expect():
    logo = Attachment(filename="l.png", content=b"png", content_type="image/png", content_id="logo")
    table = Attachment(filename="fills.csv", content=b"a,b\n", content_type="text/csv")

    message = sent(a_letter(html='<img src="cid:logo">', attachments=(logo, table)))

    assert message.get_content_type() == "multipart/mixed"
    alternative, csv = message.iter_parts()
    text, related = alternative.iter_parts()
    html, image = related.iter_parts()
    assert [part.get_content_type() for part in (text, html, image)] == [
        "text/plain",
        "text/html",
        "image/png",
    ]
    assert image["Content-ID"] == "<logo>"
    assert image.get_content_disposition() == "inline"
    assert csv.get_filename() == "fills.csv"
    assert csv.get_content_disposition() == "attachment"
    assert csv.get_payload(decode=True) == b"a,b\n"


def test_an_inline_image_without_html_is_refused():
    logo = Attachment(filename="l.png", content=b"x", content_type="image/png", content_id="logo")

    with pytest.raises(errors.InvalidRequestError, match="html"):
        build_message(a_letter(attachments=(logo,)))


@pytest.mark.parametrize(
    ("priority", "mark", "importance"),
    [
        (NoticePriority.LOW, "5", "low"),
        (NoticePriority.NORMAL, None, None),
        (NoticePriority.HIGH, "2", "high"),
        (NoticePriority.CRITICAL, "1", "high"),
    ],
)
def test_priorities_are_marked(priority, mark, importance):
    message = sent(a_letter(priority=priority))

    assert message["X-Priority"] == mark
    assert message["Importance"] == importance


def test_one_incident_is_one_thread():
    message = sent(a_letter(thread_id="<incident@sentio.test>"))

    assert message["In-Reply-To"] == message["References"] == "<incident@sentio.test>"
    assert sent(a_letter(thread_id=LETTER.message_id))["References"] is None


def test_an_event_always_has_the_same_message_id():
    assert message_id_for("order-1.2", "x.test") == "<order-1.2@x.test>"
    odd = ["a b", "a\r\nBcc: c", "x" * 300, "ü", "<>", "", ".a", "\ud800"]
    ids = {message_id_for(event, "x.test") for event in odd}
    assert len(ids) == len(odd)
    for id in ids:
        assert id.isascii()
        assert id.isprintable()
        assert " " not in id


@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_line_end_in_a_text_cannot_start_a_header(end):
    evil = f"hello{end}Bcc: evil@x.test"
    letter = a_letter(
        subject=evil, headers={"X-Note": evil}, sender=LETTER.sender, text="a", html=None
    )

    message = sent(letter)

    assert message["Subject"] == "hello Bcc: evil@x.test"
    assert message["X-Note"] == "hello Bcc: evil@x.test"
    assert message["Bcc"] is None
    assert len(headers_of(letter).lower().split("\r\nbcc")) == 1


@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_line_end_in_an_address_is_refused(end):
    for text in (f"a@x.test{end}Bcc: evil@x.test", f"A{end} <a@x.test>", f"a{end}@x.test"):
        with pytest.raises(errors.InvalidRequestError):
            plain_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@x.test",
        "a@",
        "a@x.test, evil@x.test",
        "a@x.test evil@x.test",
        "<a@x.test> evil@x.test",
        "a@x.test> SIZE=1 <evil@x.test",
        "A, B <a@x.test>",
        "A: B <a@x.test>",
        "a@b@x.test",
        "a..b@x.test",
        ".a@x.test",
        "a.@x.test",
        '"a b"@x.test',
        "=?utf-8?q?=0D=0Aa?=@x.test",
        "a@x..test",
        "a@-x.test",
        "a@x_y.test",
        "a@x.test.",
        "a b@x.test",
        "a\t@x.test",
        "x" * 65 + "@x.test",
        "a@" + "x" * 64 + ".test",
        "a@" + "x." * 130 + "test",
        "a@\N{SNOWMAN}..test",
        None,
        17,
        ["a@x.test"],
    ],
)
def test_what_is_not_one_address_is_refused(text):
    with pytest.raises(errors.InvalidRequestError, match="recipient") as caught:
        plain_address(text)

    assert repr(text)[:80] in caught.value.message


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("a@x.test", "", "a@x.test"),
        (" a@x.test ", "", "a@x.test"),
        ("<a@x.test>", "", "a@x.test"),
        ('"" <a@x.test>', "", "a@x.test"),
        ("first.last@x.test", "", "first.last@x.test"),
        ("A B <a+tag@x.test>", "A B", "a+tag@x.test"),
        ('"Last, First" <a@x.test>', "Last, First", "a@x.test"),
        (r'"A \"B\"" <a@x.test>', 'A "B"', "a@x.test"),
        ("Jörg <a@x.test>", "Jörg", "a@x.test"),
        ("jörg@x.test", "", "jörg@x.test"),
        ("a@köln.test", "", "a@xn--kln-sna.test"),
        # Not strasse.test, which is somebody else's.
        ("a@straße.test", "", "a@xn--strae-oqa.test"),
        ("संपर्क@x.test", "", "संपर्क@x.test"),
        ("a@localhost", "", "a@localhost"),
        ("a@[192.0.2.1]", "", "a@[192.0.2.1]"),
        ("o'brien@x.test", "", "o'brien@x.test"),
    ],
)
def test_one_address_is_understood(text, name, address):
    assert plain_address(text) == (name, address)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"sender": "jörg@x.test"}, "From"),
        ({"to": ("jörg@x.test",)}, "To"),
        ({"cc": ("jörg@x.test",)}, "Cc"),
        ({"reply_to": "jörg@x.test"}, "Reply-To"),
    ],
)
def test_addresses_with_any_letters_survive_the_headers(changes, name):
    assert f"\r\n{name}: jörg@x.test\r\n".encode() in b"\r\n" + flatten(
        build_message(a_letter(**changes))
    )


def test_half_a_character_becomes_a_question_mark():
    half = "a\ud800b"

    message = sent(a_letter(subject=half, text=half, headers={"X-Note": half}))

    assert message["Subject"] == message["X-Note"] == "a?b"
    assert message.get_content().strip() == "a?b"


def test_a_content_id_may_have_its_brackets_already():
    logo = Attachment(filename="l.png", content=b"x", content_type="image/png", content_id="<l@x>")

    message = sent(a_letter(html='<img src="cid:l@x">', attachments=(logo,)))

    _, related = message.iter_parts()
    _, image = related.iter_parts()
    assert image["Content-ID"] == "<l@x>"


def test_names_with_any_letters_survive_the_headers():
    message = sent(a_letter(to=('"Ünal, Jörg" <a@x.test>',)))

    (to,) = message["To"].addresses
    assert to.display_name == "Ünal, Jörg"
    assert to.addr_spec == "a@x.test"


@pytest.mark.parametrize(
    "name",
    ["X-A: b\r\nBcc", "X A", "", "X-Ü", "To", "bcc", "Resent-Bcc", "Content-Type", "Message-ID"],
)
def test_header_names_that_are_not_the_callers_are_refused(name):
    with pytest.raises(errors.InvalidRequestError, match="header"):
        build_message(a_letter(headers={name: "x"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"filename": "a\r\nX: y.csv"},
        {"filename": "a\u2028.csv"},
        {"filename": "../../etc/passwd"},
        {"filename": "a\\b.csv"},
        {"filename": 'a".exe;x="'},
        {"filename": "=?utf-8?q?=0D=0AX=3A_y?=.csv"},
        {"filename": ""},
        {"content_type": "text/csv\r\nX: y"},
        {"content_type": "text"},
        {"content_type": "multipart/mixed"},
        {"content_type": "message/rfc822"},
        {"content_id": "a>\r\nX: y"},
        {"content_id": "a b"},
    ],
)
def test_attachments_cannot_bring_headers_along(changes):
    attachment = Attachment(**{"filename": "a.csv", "content": b"x", **changes})

    with pytest.raises(errors.InvalidRequestError, match="attachments"):
        build_message(a_letter(html="<p>", attachments=(attachment,)))


def test_file_names_may_have_any_letters():
    file = Attachment(filename="Aufträge €.csv", content=b"x")

    (part,) = sent(a_letter(attachments=(file,))).iter_attachments()
    assert part.get_filename() == "Aufträge €.csv"


def test_the_bytes_are_ascii_and_lines_short_enough():
    data = flatten(build_message(a_letter(subject="Köln €" * 30, text="ü€🚀" * 500 + "\n.dot\n")))

    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert b"\n" not in data.replace(b"\r\n", b"")


@given(st.text(max_size=200), st.text(max_size=400), st.text(max_size=80))
def test_any_text_makes_a_message_with_the_headers_it_should_have(subject, text, note):
    letter = a_letter(subject=subject, text=text, html=f"<p>{text}</p>", headers={"X-Note": note})

    message = sent(letter)

    names = {name.lower() for name in message}
    assert names <= {
        *("from", "to", "subject", "date", "message-id", "auto-submitted", "x-note"),
        *("x-auto-response-suppress", "mime-version", "content-type"),
    }
    assert [a.addr_spec for a in message["To"].addresses] == ["a@x.test"]
    assert not message.defects
