"""Streams that come back: one supervised connection a feed, any number of consumers."""

from sentio_async.streams.book import EVERYTHING, Topic
from sentio_async.streams.context import FeedSettings, FeedState
from sentio_async.streams.feed import Feed, FeedStatus, World
from sentio_async.streams.gaps import Gap, Plan
from sentio_async.streams.subscription import Policy, Subscription

__all__ = [
    "EVERYTHING",
    "Feed",
    "FeedSettings",
    "FeedState",
    "FeedStatus",
    "Gap",
    "Plan",
    "Policy",
    "Subscription",
    "Topic",
    "World",
]
