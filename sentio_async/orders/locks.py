"""Who has a journal: locks on files beside it, which the other processes see.

A child that is made by ``fork`` would hold them beyond the death of its parent, and the next start
would be refused for as long as the child lives.  So a child lets go of them at once.
"""

from __future__ import annotations

import functools
import hashlib
import os
import weakref

__all__ = ["Locks", "lock_of"]


def lock_of(account: str) -> str:
    """The name of an account's lock file, which does not show the account."""
    return f".sentio-{hashlib.sha256(account.encode()).hexdigest()[:16]}.lock"


class Locks:
    """The lock files of one journal, held until ``let_go`` or the end of the process."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}

    @property
    def are_held(self) -> bool:
        """By this process: a child of it has none."""
        return bool(self._held)

    def take(self, path: str | os.PathLike[str]) -> None:
        """Hold one more; raises ValueError when another has it, OSError when it cannot be made."""
        # First of all, because a system without such locks has no forks to mind either.
        lock = _taken(path)
        self._held[os.fspath(path)] = lock
        _every.add(self)
        _mind_forks()

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of those that are held."""
        return tuple(self._held)

    def let_go(self) -> None:
        """Let others have them."""
        while self._held:
            os.close(self._held.popitem()[1])


_every: weakref.WeakSet[Locks] = weakref.WeakSet()


@functools.cache
def _mind_forks() -> None:
    os.register_at_fork(after_in_child=_let_go_of_all)


def _let_go_of_all() -> None:
    # The parent's hold is not touched: it lasts until its own descriptor is closed as well.
    for locks in tuple(_every):
        locks.let_go()


def _taken(path: str | os.PathLike[str]) -> int:
    import fcntl

    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise ValueError(
            f"another process (pid {owner}) trades with it or its account (lock {path}); "
            "one process for each account"
        ) from None
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock
