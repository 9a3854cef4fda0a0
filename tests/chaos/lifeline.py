"""Processes that must not outlive the one that started them."""

import asyncio
import multiprocessing
import os
import threading

LINE_LIMIT = 64 * 1024 * 1024
_nest = multiprocessing.get_context("forkserver")
# Each new process begins with what takes longest, imports, behind it.
_nest.set_forkserver_preload(["tests.chaos.trader", "tests.chaos.venue_process"])


class Child:
    """A process of ours that ends with us: its standard input is its lifeline."""

    def __init__(self, process, lifeline, said: asyncio.StreamReader) -> None:
        self._process = process
        self._lifeline = lifeline
        self._said = said

    @classmethod
    async def start(cls, work, *arguments) -> "Child":
        """Run ``work``, a coroutine function of a module, in a process of its own."""
        heard, lifeline = _nest.Pipe(duplex=False)
        said, says = _nest.Pipe(duplex=False)
        process = _nest.Process(target=_live, args=(heard, says, work, arguments), daemon=True)
        process.start()
        heard.close()
        says.close()
        reader = asyncio.StreamReader(limit=LINE_LIMIT)
        pipe = os.fdopen(os.dup(said.fileno()), "rb", 0)
        said.close()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        return cls(process, lifeline, reader)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    async def line(self) -> str | None:
        """The next line it says; None when it has ended."""
        return (await self._said.readline()).decode().rstrip("\n") or None

    def ask(self) -> None:
        """Send it a line."""
        os.write(self._lifeline.fileno(), b"?\n")

    async def kill(self) -> list[str]:
        """SIGKILL; gives what it had said and nobody had read."""
        self._process.kill()
        said = (await self._said.read()).decode().splitlines()
        self._process.join()
        self._lifeline.close()
        return said


def _live(heard, says, work, arguments) -> None:
    os.dup2(heard.fileno(), 0)
    os.dup2(says.fileno(), 1)
    heard.close()
    says.close()
    # The exchange logs every caller that hangs up half way, and many do.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        asyncio.run(work(*arguments))
    except BaseException as exc:
        say(f"broke {type(exc).__name__} {exc}")
        raise


def hold_on(heard=lambda line: None) -> None:
    """End this process at once when its standard input ends; ``heard`` is told each line of it."""

    def wait() -> None:
        with open(0, closefd=False) as lines:
            for line in lines:
                heard(line)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def say(text: str) -> None:
    """One line to the parent, at once."""
    os.write(1, (text + "\n").encode())
