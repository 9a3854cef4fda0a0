"""Alpaca's order stream: `/stream` on the trading host.

https://docs.alpaca.markets/docs/websocket-streaming
"""

from collections.abc import Callable
from typing import Any, Final

from starlette.routing import BaseRoute

from sentio_async.sim.orders import Order, OrderEvent
from sentio_async.sim.sessions import POLICY, Session, doors
from sentio_async.sim.state import State
from sentio_async.sim.venues.alpaca.stream_wire import credential_of, decode, encode, is_msgpack
from sentio_async.sim.venues.alpaca.trading_wire import order_row, plain, stamp

UPDATES: Final = "trade_updates"


def routes(state: State) -> list[BaseRoute]:
    """The stream's path."""
    return [*doors(state, ["/stream"], TradingStream)]


class TradingStream(Session):
    """One client that wants to know what becomes of its orders.

    Nothing is numbered and nothing comes twice: what happens while nobody listens is never told.
    """

    venue = "alpaca_trading"

    def __init__(self, state: State, path: str, headers: dict[str, str], head: bytes) -> None:
        super().__init__(state, path, headers, head)
        self._packed = is_msgpack(headers)
        self._account = ""
        self._streams: list[str] = []
        self._deaf: Callable[[], None] | None = None

    @property
    def is_text(self) -> bool:
        """The paper host sends binary frames, whatever is in them."""
        return not self._packed and self.state.streams.settings.trading_frames == "text"

    @property
    def topics(self) -> int:
        """How many streams the client listens to."""
        return len(self._streams)

    def ended(self) -> None:
        """Listen to the engine no longer."""
        if self._deaf is not None:
            self._deaf()
            self._deaf = None

    def evict(self) -> None:
        """A client that reads too slowly is only cut off."""
        self.socket.close(POLICY, "slow client")

    def limit(self) -> None:
        """One connection too many."""
        self.socket.close(POLICY, "connection limit exceeded")

    def complain(self, code: int, text: str) -> None:
        """An error of the server's."""
        self._say("error", {"code": code, "error": text or "internal server error"})

    def answer(self, message: bytes, *, is_text: bool) -> None:
        """Take `auth`, `authenticate` and `listen`."""
        said = decode(message, packed=self._packed and not is_text)
        if not isinstance(said, dict):
            self.complain(400, "invalid syntax")
            return
        data = said.get("data")
        data = data if isinstance(data, dict) else {}
        match said.get("action"):
            case "auth":
                self._authenticate(said.get("key"), said.get("secret"))
            case "authenticate":
                self._authenticate(data.get("key_id"), data.get("secret_key"))
            case "listen":
                self._listen(data.get("streams"))
            case _:
                self.complain(400, "invalid action")

    def _authenticate(self, key: object, secret: object) -> None:
        if not self.passes("AUTH"):
            return
        known = credential_of(self.state, key, secret)
        if known is not None:
            self.key, self._account = known.key, known.account
            self._deaf = self._deaf or self.state.engine.listen(self._on_event)
        status = "authorized" if known is not None else "unauthorized"
        self._say("authorization", {"status": status, "action": "authenticate"})
        if known is not None:
            self.passes("AUTHENTICATED")

    def _listen(self, streams: object) -> None:
        if not self.passes("SUBSCRIBE"):
            return
        if not self.key:
            self._say("authorization", {"status": "unauthorized", "action": "listen"})
            return
        # The list says which streams are wanted from now on; unknown ones are left out.
        wanted = streams if isinstance(streams, list) else []
        self._streams = [name for name in wanted if name == UPDATES]
        self._say("listening", {"streams": self._streams})
        self.passes("SUBSCRIBED")

    def _say(self, stream: str, data: dict[str, Any]) -> None:
        self.say(encode({"stream": stream, "data": data}, packed=self._packed))

    def _on_event(self, event: OrderEvent) -> None:
        is_ours = event.order.account == self._account and UPDATES in self._streams
        if is_ours and not is_untold(event):
            message = {"stream": UPDATES, "data": update_row(event)}
            self.tell(encode(message, packed=self._packed))


def is_untold(event: OrderEvent) -> bool:
    """Whether Alpaca says nothing: a stop that ends because its take-profit filled.

    https://github.com/alpacahq/alpaca-py/issues/198
    """
    order = event.order
    parent = order.parent
    if event.kind != "canceled" or parent is None or parent.is_multi_leg:
        return False
    if order.type not in {"stop", "stop_limit"} or order.filled_qty:
        return False
    family: list[Order] = [*parent.legs, *([parent] if parent.order_class == "oco" else [])]
    return any(each.type == "limit" and each.status == "filled" for each in family)


def update_row(event: OrderEvent) -> dict[str, Any]:
    """One event with the whole order as it stands."""
    row = {
        "event": event.kind,
        "execution_id": event.id,
        "timestamp": stamp(event.time_ns),
        "order": order_row(event.order, nested=True),
    }
    fill, order = event.fill, event.order
    if fill is None and event.kind == "fill" and order.average is not None:
        # Several legs at once: the net price, and how often.
        return {**row, "price": plain(order.average), "qty": plain(order.filled_qty)}
    if fill is None:
        return row
    return {
        **row,
        "price": plain(fill.price),
        "qty": plain(fill.qty),
        "position_qty": plain(fill.position_qty),
    }
