"""Four drops, as in the long run."""

import pytest

from tests.chaos import streams
from tests.chaos.stream_venue import LocalVenue


@pytest.mark.slow
async def test_drops_lose_no_subscription_no_gap_and_no_order_update():
    result = await streams.storm(4, 3, LocalVenue(3))

    assert streams.is_clean(result), result
    assert result["drops"] >= 4
