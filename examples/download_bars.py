"""Bars of many symbols as Parquet files: broken off, gone on with, and read (extra ``parquet``)."""

import asyncio
import tempfile
from datetime import UTC, datetime
from functools import partial

from venue import settings_for

from sentio_async import ConnectorFactory
from sentio_async.events import Event


def show(event: Event) -> None:
    """One line for every page that was stored."""
    print(event)


async def main() -> None:
    start, end = datetime(2025, 3, 10, tzinfo=UTC), datetime(2025, 3, 14, tzinfo=UTC)
    symbols = ["AAPL", "MSFT", "B@D"]
    async with (
        settings_for("alpaca") as settings,
        ConnectorFactory.create_data_provider("alpaca", settings["alpaca"]) as data,
    ):
        with tempfile.TemporaryDirectory() as folder:
            download = partial(data.download_bars, start=start, end=end, on_progress=show)
            await download(symbols[:1], "5Min", folder)
            stored = await download(symbols, "5Min", folder)
            for symbol, found in stored.found.items():
                print(symbol, found.rows, "bars in", *(file.name for file in found.files))
            for symbol, error in stored.errors.items():
                print(symbol, "is not complete:", error)


if __name__ == "__main__":
    asyncio.run(main())
