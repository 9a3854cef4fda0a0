"""Quotes of many symbols in as few requests as the vendor allows; a bad one costs no other."""

import asyncio
import sys

from venue import settings_for

from sentio_async import ConnectorFactory

SYMBOLS = ["AAPL", "MSFT", "NVDA", "SPY", "NOSUCH"]


async def main(symbols: list[str]) -> None:
    async with (
        settings_for("polygon") as settings,
        ConnectorFactory.create_data_provider("polygon", settings["polygon"]) as data,
    ):
        quotes = await data.get_quotes(symbols)
        for symbol, quote in quotes.found.items():
            print(f"{symbol:8} {quote.bid:10.2f} {quote.ask:10.2f}  {quote.time:%H:%M:%S}")
        for symbol, error in quotes.errors.items():
            print(f"{symbol:8} {type(error).__name__}: {error.message}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or SYMBOLS))
