"""What is wanted of a feed, and what the venue has confirmed.  No I/O.

The wanted topics are changed by the user's calls and by nothing else: a lost connection forgets
what was confirmed, never what is wanted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["EVERYTHING", "Book", "Difference", "Topic"]

EVERYTHING = "*"
"""The symbol that stands for all of them."""


class Topic(NamedTuple):
    """One kind of news about one symbol."""

    channel: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.channel} {self.symbol}".rstrip()


@dataclass(frozen=True, slots=True)
class Difference:
    """What must be said to the venue so that it sends what is wanted."""

    add: tuple[Topic, ...] = ()
    remove: tuple[Topic, ...] = ()


class Book:
    """Wanted, asked for, confirmed: three states of a topic, kept apart."""

    def __init__(self) -> None:
        self._wanted: dict[Topic, int] = {}
        self._asked: dict[Topic, float] = {}
        self._groups: deque[tuple[Topic, ...]] = deque()
        self._confirmed: set[Topic] = set()
        self._unanswered: dict[Topic, float] = {}
        self._refused: dict[Topic, str] = {}

    @property
    def wanted(self) -> frozenset[Topic]:
        """What the user's calls want."""
        return frozenset(self._wanted)

    @property
    def confirmed(self) -> frozenset[Topic]:
        """What the venue has said it will send."""
        return frozenset(self._confirmed)

    @property
    def asked(self) -> frozenset[Topic]:
        """What was asked for, and not answered yet."""
        return frozenset(self._asked)

    @property
    def is_wanted(self) -> bool:
        """Anything is wanted at all."""
        return bool(self._wanted)

    @property
    def is_waiting(self) -> bool:
        """An answer is still to come."""
        return bool(self._asked)

    @property
    def next_deadline(self) -> float | None:
        """When the first of the answers that are to come is overdue."""
        return min(self._asked.values(), default=None)

    def refusal(self, topic: Topic) -> str | None:
        """Why the venue does not send a topic, if it said so."""
        return self._refused.get(topic)

    def want(self, topics: Iterable[Topic]) -> None:
        """One more consumer wants these; what was refused before may be asked for again."""
        for topic in topics:
            self._wanted[topic] = self._wanted.get(topic, 0) + 1
            self._refused.pop(topic, None)
            self._unanswered.pop(topic, None)

    def release(self, topics: Iterable[Topic]) -> None:
        """One consumer less."""
        for topic in topics:
            left = self._wanted.get(topic, 0) - 1
            if left > 0:
                self._wanted[topic] = left
                continue
            self._wanted.pop(topic, None)
            self._refused.pop(topic, None)

    def difference(self) -> Difference:
        """What to ask for and what to give up, as things stand."""
        settled = self._confirmed.union(self._unanswered, self._refused, self._asked)
        add = tuple(topic for topic in self._wanted if topic not in settled)
        open_ = self._confirmed | self._asked.keys()
        return Difference(add, tuple(sorted(open_ - self._wanted.keys())))

    def was_asked(self, topics: Sequence[Topic], deadline: float) -> None:
        """These were asked for in one message; the answer is due at ``deadline``."""
        self._asked.update(dict.fromkeys(topics, deadline))
        self._groups.append(tuple(topics))

    def was_given_up(self, topics: Iterable[Topic]) -> None:
        """The venue was told to stop sending these."""
        for topic in topics:
            self._confirmed.discard(topic)
            self._asked.pop(topic, None)

    def confirm(self, topics: Iterable[Topic]) -> list[Topic]:
        """The venue will send these; the ones that are new.

        An answer to what was given up since is none: the venue is about to stop sending it.
        """
        questions = self._asked.keys() | self._unanswered.keys() | self._refused.keys()
        return self._confirm([topic for topic in topics if topic in questions])

    def _confirm(self, fresh: list[Topic]) -> list[Topic]:
        for topic in fresh:
            self._asked.pop(topic, None)
            self._unanswered.pop(topic, None)
            self._refused.pop(topic, None)
        self._confirmed.update(fresh)
        self._forget_answered()
        return fresh

    def confirm_exactly(self, topics: Iterable[Topic]) -> list[Topic]:
        """The venue has listed everything that it sends; the ones that are new."""
        listed = set(topics)
        self._confirmed &= listed
        return self._confirm([topic for topic in listed if topic not in self._confirmed])

    def refuse(self, reason: str) -> tuple[Topic, ...]:
        """The venue refused the oldest question that is open.

        Gives its topics.  One that was asked for alone is refused from now on; several are to be
        asked for one by one, for only one of them may be wrong.
        """
        while self._groups:
            group = [topic for topic in self._groups.popleft() if topic in self._asked]
            if len(group) == 1:
                del self._asked[group[0]]
                self._refused[group[0]] = reason
                return (group[0],)
            if group:
                return tuple(group)
        return ()

    def overdue(self, now: float) -> list[Topic]:
        """What the venue left without an answer; not asked for again before ``forgive``."""
        late = [topic for topic, deadline in self._asked.items() if deadline <= now]
        for topic in late:
            del self._asked[topic]
        self._unanswered.update(dict.fromkeys(late, now))
        self._forget_answered()
        return late

    def forgive(self, before: float) -> bool:
        """Ask again for what was left without an answer before then; whether there is any."""
        again = [topic for topic, since in self._unanswered.items() if since <= before]
        for topic in again:
            del self._unanswered[topic]
        return bool(again)

    def connection_lost(self) -> None:
        """Nothing is confirmed any more, and everything that is wanted still is."""
        self._confirmed.clear()
        self._asked.clear()
        self._groups.clear()
        self._unanswered.clear()

    def _forget_answered(self) -> None:
        while self._groups and not any(topic in self._asked for topic in self._groups[0]):
            self._groups.popleft()
