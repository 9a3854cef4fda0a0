"""Four drops, as in the long run, in every run of the suite."""

from tests.chaos import streams
from tests.chaos.stream_venue import LocalVenue


async def test_drops_lose_no_subscription_no_gap_and_no_order_update():
    result = await streams.storm(4, 3, LocalVenue(3))

    assert streams.is_clean(result), result
    assert result["drops"] >= 4
