"""What every notifier promises."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import pytest

from sentio_async import errors
from sentio_async.base import Capability, NotificationConnector
from sentio_async.errors import Outcome
from sentio_async.models import Attachment, Delivery, Receipt, TradeNotice
from sentio_async.testing.contracts_connector import (
    ConnectorContract,
    Probe,
    Rig,
    needs,
    refuses,
)

__all__ = ["NotificationContract", "NotifierRig"]

TRADE: dict[str, Any] = {"symbol": "AAPL", "side": "buy", "qty": "10", "price": "187.20"}
FILE = Attachment(filename="report.csv", content=b"a,b\n1,2\n", content_type="text/csv")

UNDECLARED: dict[Capability, Probe] = {
    Capability.ATTACHMENTS: lambda notifier: notifier.send_notification(
        None, "s", "m", attachments=[FILE]
    ),
}


class NotifierRig(Rig[NotificationConnector]):
    """The other side of the messages, which can look what has arrived."""

    recipient: str | None = None
    """Somebody who gets messages; None for the configured ones."""
    refused_recipient: str | None = None
    """Somebody whom the other side does not know, where it can tell."""

    @abstractmethod
    def arrived(self, receipt: Receipt) -> int:
        """How many messages have arrived under this receipt's id."""


class NotificationContract(ConnectorContract[NotificationConnector]):
    """Messages and their receipts.  The fixture ``rig`` gives a ``NotifierRig``."""

    async def test_a_receipt_proves_delivery(self, rig: NotifierRig) -> None:
        """It names each recipient's result, and its id is the one that arrived."""
        async with rig.new() as notifier:
            receipt = await notifier.send_notification(rig.recipient, "filled", "10 AAPL")

        assert receipt.is_delivered
        assert receipt.results
        assert not receipt.failed
        assert receipt.connector == notifier.name
        assert receipt.sent_at.utcoffset() is not None
        assert receipt.attempts == 1
        assert rig.arrived(receipt) == 1

    async def test_alerts_and_trades_reach_the_configured(self, rig: NotifierRig) -> None:
        """A trade may be a mapping or a TradeNotice."""
        async with rig.new() as notifier:
            receipts = [
                await notifier.send_alert("drawdown", "5 % today"),
                await notifier.send_trade_notification(TRADE),
                await notifier.send_trade_notification(TradeNotice.model_validate(TRADE)),
            ]

        assert all(receipt.is_delivered for receipt in receipts)
        assert [rig.arrived(receipt) for receipt in receipts] == [1, 1, 1]
        assert len({receipt.id for receipt in receipts}) == 3

    async def test_an_event_has_one_id(self, rig: NotifierRig) -> None:
        """Two messages about one event can be known as the same by whoever gets them."""
        async with rig.new() as notifier:
            first = await notifier.send_alert("a", "b", event_id="event-1")
            second = await notifier.send_alert("a", "b", event_id="event-1")
            other = await notifier.send_alert("a", "b", event_id="event-2")

        assert first.id == second.id != other.id

    async def test_what_cannot_be_right_is_not_sent(self, rig: NotifierRig) -> None:
        """InvalidRequestError, and nobody is asked."""
        async with rig.new() as notifier:
            asked = rig.requests
            for sending in (
                notifier.send_alert("a", "b", priority="whenever"),
                notifier.send_trade_notification({"symbol": "AAPL", "side": "hold", "qty": 1}),
                notifier.send_trade_notification({**TRADE, "qty": "many"}),
                notifier.send_notification(rig.recipient, "s", "m", no_such_option=1),
            ):
                with pytest.raises(errors.InvalidRequestError) as caught:
                    await sending
                assert caught.value.outcome is Outcome.NOT_SENT
            assert rig.requests == asked

    async def test_an_outage_is_told(self, rig: NotifierRig) -> None:
        """A typed error or a receipt that is no proof; never a receipt that says delivered."""
        async with rig.new({"retry_attempts": 1}) as notifier:
            rig.fail()
            try:
                receipt = await notifier.send_alert("a", "b")
            except errors.ConnectorError as exc:
                assert exc.outcome is not Outcome.REFUSED or isinstance(exc, errors.APIError)
            else:
                assert not receipt.is_delivered
            rig.heal()

            assert (await notifier.send_alert("a", "b")).is_delivered

    async def test_recipients_succeed_and_fail_alone(self, rig: NotifierRig) -> None:
        """One whom the other side refuses costs the others nothing."""
        async with rig.new() as notifier:
            needs(notifier, Capability.RECIPIENTS)
            if rig.recipient is None or rig.refused_recipient is None:
                pytest.skip("this rig has no recipient that is refused")
            receipt = await notifier.send_notification(
                [rig.recipient, rig.refused_recipient], "subject", "message"
            )

        assert not receipt.is_delivered
        assert [each.recipient for each in receipt.failed] == [rig.refused_recipient]
        assert receipt.failed[0].delivery is Delivery.REFUSED
        assert rig.arrived(receipt) == 1

    @pytest.mark.parametrize("end", ["\r\nBcc: all@x.test", "\n", "\x00"])
    async def test_nothing_is_smuggled_into_a_recipient(self, rig: NotifierRig, end: str) -> None:
        """A line break in an address is refused."""
        async with rig.new() as notifier:
            needs(notifier, Capability.RECIPIENTS)
            with pytest.raises(errors.InvalidRequestError):
                await notifier.send_notification(f"{rig.recipient}{end}", "s", "m")

    async def test_files_and_html_go_along(self, rig: NotifierRig) -> None:
        """Where they are declared."""
        async with rig.new() as notifier:
            needs(notifier, Capability.ATTACHMENTS, Capability.HTML)
            receipt = await notifier.send_notification(
                rig.recipient, "report", "see below", html="<p>see below</p>", attachments=[FILE]
            )

        assert receipt.is_delivered
        assert rig.arrived(receipt) == 1

    async def test_what_it_does_not_declare_is_refused(self, rig: NotifierRig) -> None:
        """NotSupportedError names the capability and who has it."""
        await refuses(rig.new(), UNDECLARED)
