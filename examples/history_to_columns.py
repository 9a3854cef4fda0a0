"""Bars as columns: a moving average over a few thousand of them, without one object each."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from venue import settings_for

from sentio_async import Bars, ConnectorFactory


def moving_average(bars: Bars, length: int) -> list[float]:
    """The mean of the last ``length`` closes, for every bar that has so many before it."""
    sums = [0.0, *accumulate(bars.close)]
    ends = zip(sums[length:], sums, strict=False)
    return [(end - begin) / length for end, begin in ends]


async def main() -> None:
    end = datetime.now(UTC)
    async with (
        settings_for("polygon") as settings,
        ConnectorFactory.create_data_provider("polygon", settings["polygon"]) as data,
    ):
        bars = await data.get_bars("AAPL", "5Min", start=end - timedelta(days=7), end=end)
        print(bars)
        print("columns:", ", ".join(bars.to_columns()))
        average = moving_average(bars, 20)
        print(f"last close {bars.close[-1]:.2f}, average of 20 {average[-1]:.2f}")
        print("exactly as the vendor wrote it:", bars[-1:].exact("close")[0])


if __name__ == "__main__":
    asyncio.run(main())
