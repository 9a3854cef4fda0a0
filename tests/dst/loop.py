"""An event loop whose time is a number: it jumps to the next timer, and knows no threads."""

import asyncio


class DeadlockError(RuntimeError):
    """Nothing is ready and nothing is scheduled: nobody will ever go on."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs a simulation as fast as the machine can; the same seed goes the same way."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = 1e-9
        self._selector = self

    def time(self):
        return self._now

    def select(self, timeout):
        """What the base class asks before it runs what is due: pass the time instead."""
        if timeout is None:
            raise DeadlockError("nothing will ever happen again")
        self._now += timeout
        return ()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        raise RuntimeError("a thread wants something of a virtual loop")

    def run_in_executor(self, executor, func, *args):
        raise RuntimeError("a virtual loop has no threads")

    def finish(self):
        """Cancel what is left, let it end, and close."""
        tasks = sorted(asyncio.all_tasks(self), key=lambda task: task.get_name())
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.close()
