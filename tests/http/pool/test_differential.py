"""Our connection reads answers as h11 does, or is stricter and says why."""

import pytest

from tests.fuzz import http
from tests.fuzz.readers import Ours, read_with_h11
from tests.fuzz.responses import Case


def test_generated_answers_are_read_as_h11_reads_them():
    result = http.run(1_500, seed=20)

    assert result["examples"] == []
    assert result["laxer"] == 0
    # So that nobody breaks the generator without noticing.
    assert min(result["accepted"], result["refused"], result["kept"]) > 150
    assert result["stricter"] > 30


@pytest.fixture
def ours():
    reader = Ours()
    yield reader
    reader.close()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("each", http.STRICTER, ids=lambda each: each.words)
def test_where_we_are_stricter_is_known(ours, each, streamed):
    case = Case("GET", (each.example,))

    assert ours.read(case, streamed=streamed).refusal == f"answer is not HTTP: {each.words}"
    assert read_with_h11(case).refusal is None


EMPTY_LINES = [
    b"\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
    b"HTTP/1.1 103 Early\r\n\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
]


@pytest.mark.parametrize("raw", EMPTY_LINES)
def test_no_empty_line_comes_before_an_answer(ours, raw):
    for pieces in ((raw,), tuple(raw[n : n + 1] for n in range(len(raw)))):
        assert "followed by" in (
            found := ours.read(Case("GET", pieces), streamed=False).refusal
        ) or ("begins with" in found)


@pytest.mark.parametrize("tail", [b"\r\n", b"\n", b"\r", b"\r\n\r\n"])
@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_an_empty_line_after_an_answer_closes_the_connection(ours, raw, tail):
    assert ours.read(Case("GET", (raw,)), streamed=False).is_kept
    assert not ours.read(Case("GET", (raw + tail,)), streamed=False).is_kept


@pytest.mark.parametrize("streamed", [False, True])
def test_blanks_around_a_value_are_no_part_of_it(ours, streamed):
    raw = b"HTTP/1.1 200 OK\r\na: \t b c \t\r\nd:e \r\ncontent-length: 0\r\n\r\n"

    for pieces in ((raw,), tuple(raw[n : n + 1] for n in range(len(raw)))):
        headers = ours.read(Case("GET", pieces), streamed=streamed).headers
        assert headers == {"a": "b c", "d": "e", "content-length": "0"}


@pytest.mark.parametrize(
    "coding", [b"gzip, chunked", b"identity", b"chunked\r\nTransfer-Encoding: chunked", b""]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_transfer_coding_nobody_asked_for_is_refused(ours, coding, method):
    raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: %b\r\n\r\n0\r\n\r\n" % coding

    assert ours.read(Case(method, (raw,)), streamed=False).refusal is not None
