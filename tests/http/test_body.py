"""A body is read in pieces, and never beyond what was allowed."""

import gzip
import tracemalloc
import zlib

import pytest

from sentio_async import errors
from sentio_async.http.body import read_body
from sentio_async.http.redaction import redactor


async def read(*chunks, encoding="", limit=1000, keep_going=lambda: None):
    async def arriving():
        for chunk in chunks:
            yield chunk

    headers = {"content-encoding": encoding} if encoding else {}
    return await read_body(arriving(), headers, limit=limit, keep_going=keep_going)


def pieces(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


async def test_it_is_put_together():
    assert await read(b"ab", b"", b"cd") == b"abcd"
    assert await read() == b""
    assert await read(b"x" * 1000) == b"x" * 1000


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP "])
async def test_it_is_unpacked_whatever_the_pieces(size, encoding):
    packed = gzip.compress(b'{"a": 1}' * 50)

    assert await read(*pieces(packed, size), encoding=encoding) == b'{"a": 1}' * 50


async def test_an_empty_body_may_claim_to_be_gzip():
    assert await read(encoding="gzip") == b""
    assert await read(b"", encoding="gzip") == b""


async def test_one_byte_too_many_is_too_many():
    with pytest.raises(errors.ResponseTooLargeError, match="1000 bytes"):
        await read(b"x" * 1001)
    with pytest.raises(errors.ResponseTooLargeError):
        await read(*[b"x" * 100] * 11)
    with pytest.raises(errors.ResponseTooLargeError):
        await read(gzip.compress(b"x" * 1001), encoding="gzip")


async def test_a_bomb_is_stopped_before_it_grows():
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(50)) + packer.flush()
    tracemalloc.start()

    with pytest.raises(errors.ResponseTooLargeError):
        await read(bomb, encoding="gzip", limit=100_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 1_000_000


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"not gzip at all", "not the gzip it claims to be"),
        (gzip.compress(b"hello" * 20)[:-3], "in the middle"),
        (gzip.compress(b"hello" * 20)[:-9] + b"\0" * 9, "not the gzip it claims to be"),
        (gzip.compress(b"hello") + b"more", "goes on after the end"),
        (gzip.compress(b"one") + gzip.compress(b"two"), "goes on after the end"),
    ],
)
async def test_broken_gzip_is_a_decode_error(body, says):
    with pytest.raises(errors.DecodeError, match=says):
        await read(*pieces(body, 10), encoding="gzip")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "x" * 500])
async def test_an_encoding_nobody_asked_for_is_refused(encoding):
    with pytest.raises(errors.DecodeError, match="only gzip was asked for") as caught:
        await read(b"x", encoding=encoding)

    assert len(str(caught.value)) < 120


async def test_it_is_asked_before_every_piece_whether_to_go_on():
    asked = []

    def keep_going():
        asked.append(1)
        if len(asked) == 3:
            raise errors.DeadlineExceededError("over")

    with pytest.raises(errors.DeadlineExceededError):
        await read(*[b"x"] * 10, keep_going=keep_going)
    assert len(asked) == 3


async def test_an_encoding_that_repeats_a_secret_does_not_show_it():
    redactor.add(["canary-of-27-letters-or-so"])
    try:
        with pytest.raises(errors.DecodeError) as caught:
            await read(b"x", encoding="canary-of-27-letters-or-so")
    finally:
        redactor.remove(["canary-of-27-letters-or-so"])

    assert "canary" not in str(caught.value)
