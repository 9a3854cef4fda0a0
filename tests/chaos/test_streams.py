"""Eight drops, as in the long run, in every run of the suite."""

from tests.chaos import streams


async def test_drops_lose_no_subscription_no_gap_and_no_order_update():
    result = await streams.storm(8, seed=3)

    assert streams.is_clean(result), result
    assert result["drops"] >= 8
