"""Tell people by e-mail and by webhook at the same time; one failing stops no other."""

import asyncio

from venue import settings_for

from sentio_async import ConnectorHub, NotificationConnector, Receipt, errors

TRADE = {"symbol": "AAPL", "side": "buy", "qty": "10", "price": "187.20", "strategy": "dip"}


async def tell(notifiers: list[NotificationConnector], event_id: str) -> None:
    """Send to all; the event id makes a repetition recognisable to the receiver."""
    sent = await asyncio.gather(
        *(each.send_trade_notification(TRADE, event_id=event_id) for each in notifiers),
        return_exceptions=True,
    )
    for notifier, result in zip(notifiers, sent, strict=True):
        match result:
            case Receipt(is_delivered=True):
                print(f"{notifier.name}: accepted as {result.id}")
            case Receipt():
                print(f"{notifier.name}: not everybody: {result.failed}")
            case errors.ConnectorError():
                print(f"{notifier.name}: {result}")
            case BaseException():
                raise result


async def main() -> None:
    async with settings_for("email", "webhook") as settings, ConnectorHub() as hub:
        notifiers = [hub.create_notification(name, settings[name]) for name in settings]
        await hub.connect()
        await tell(notifiers, event_id="fill-4711")


if __name__ == "__main__":
    asyncio.run(main())
