"""The head of a write-ahead log, in both of its byte orders."""

import struct

import pytest

from sentio_async.orders import wal


def a_head(magic, order):
    head = struct.pack(">IIIIII", magic, 3_007_000, 4096, 1, 0x1234, 0xFFFFFFFF)
    return head + struct.pack(">II", *wal._sum(head, order))


@pytest.mark.parametrize(("magic", "order"), [(0x377F0682, "<"), (0x377F0683, ">")])
def test_the_magic_number_says_in_which_order_the_bytes_are_added(tmp_path, magic, order):
    file = tmp_path / "log"
    head = a_head(magic, order)

    file.write_bytes(head + b"frames")
    assert wal.is_whole(file)
    file.write_bytes(head[:20] + b"x" + head[21:])
    assert wal.is_whole(file) is False


@pytest.mark.parametrize("magic", [0x377F0680, 0x377F0684, 0])
def test_another_magic_number_is_damage(tmp_path, magic):
    file = tmp_path / "log"
    file.write_bytes(a_head(magic, "<"))

    assert wal.is_whole(file) is False


def test_sums_are_those_of_the_file_format():
    # By hand: one = 1, two = 2 + 1 = 3; one = 1 + 3 + 3 = 7, two = 3 + 4 + 7 = 14.
    assert wal._sum(struct.pack("<IIII", 1, 2, 3, 4), "<") == (7, 14)
    assert wal._sum(struct.pack(">IIII", 1, 2, 3, 4), ">") == (7, 14)


def test_what_is_too_short_for_a_head_has_only_begun(tmp_path):
    file = tmp_path / "log"

    assert wal.is_whole(file)
    file.write_bytes(b"x" * 31)
    assert wal.is_whole(file)
    file.write_bytes(b"x" * 32)
    assert not wal.is_whole(file)
