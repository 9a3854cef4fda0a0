"""The matching engine: takes orders, is told the time, and fills against the market's prices.

An order is `pending_new` until the next tick, which lets it in and fills it if the market is
there. Orders worth more than `slice_value` fill in slices, one a tick.
"""

import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from decimal import Decimal

from sentio_async.sim.clock import SimClock
from sentio_async.sim.crossing import Sight, price_for, trail
from sentio_async.sim.expiry import end_of, release_of, settle_contracts
from sentio_async.sim.ledger import Account, Balances, balances
from sentio_async.sim.market import Market
from sentio_async.sim.orders import QTY_STEP, ZERO, Fill, Order, OrderEvent
from sentio_async.sim.prices import HOUR, MINUTE, luck

# A test that reads events reads the last few; a long run makes millions.
KEPT_EVENTS = 10_000
# Past this, a look back goes by bars instead of trades.
LOOK_BACK = 10 * MINUTE


@dataclass(slots=True)
class Filling:
    """How orders fill; change it while the exchange runs.

    An order worth more than `slice_value` fills in slices of that value. With
    `partial_chance`, any fill of more than one unit may be cut to a part of itself.
    """

    slice_value: Decimal | None = Decimal(250_000)
    partial_chance: float = 0.0


class Engine:
    """Accounts and their orders."""

    def __init__(self, market: Market, clock: SimClock, seed: int = 0) -> None:
        self.market = market
        self.clock = clock
        self.filling = Filling()
        self.accounts: dict[str, Account] = {}
        self.events: deque[OrderEvent] = deque(maxlen=KEPT_EVENTS)
        self._listeners: list[Callable[[OrderEvent], None]] = []
        self._chance = luck(seed, "engine")
        self._open: dict[str, Order] = {}
        self._numbers = 0
        self._seen_ns = clock.now_ns()

    def add_account(self, *, cash: Decimal = Decimal(100_000)) -> str:
        """Open an account; answers its number."""
        number = f"PA3SIM{len(self.accounts) + 1:06d}"
        self.accounts[number] = Account(number, self.new_id(), cash, self.clock.now_ns())
        return number

    def account(self, number: str) -> Account:
        """The account of that number."""
        return self.accounts[number]

    def balances(self, account: Account) -> Balances:
        """What an account is worth now."""
        return balances(account, self.market.price)

    def listen(self, listener: Callable[[OrderEvent], None]) -> Callable[[], None]:
        """Be told every order event at once; answers a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def new_id(self) -> str:
        """An id that is the same in every run with the same seed."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def new_number(self) -> int:
        """The place of the next order in time."""
        self._numbers += 1
        return self._numbers

    def submit(self, order: Order) -> None:
        """Take an order that the venue has found right, with its legs."""
        account = self.accounts[order.account]
        now = self.clock.now_ns()
        is_entry = order.order_class in {"bracket", "oto"}
        for each in (order, *order.legs):
            account.orders[each.id] = each
            account.by_client_id[each.client_order_id] = each
            account.open_orders[each.id] = self._open[each.id] = each
            each.submitted_ns = each.updated_ns = now
            each.release_ns = release_of(each)
            # Where the market never closes, nor does a day order end as soon as it has begun.
            always = self.market.hours == "always"
            each.expires_ns = end_of(each, least_ns=HOUR if always else 0)
            if each is not order and (is_entry or order.order_class == "oco"):
                each.status = "held"
                each.is_armed = not is_entry
        self._tell("pending_new", order)

    def cancel(self, order: Order) -> None:
        """Ask for an order's end; it comes with the next tick."""
        if order.status != "held":
            order.status = "pending_cancel"
            self._touch(order)
            self._tell("pending_cancel", order)
        else:
            self._end(order, "canceled")
            self._cancel_siblings(order)

    def replace(self, old: Order, new: Order) -> None:
        """Put a new order in the place of one that is open, with the next tick."""
        old.status, old.replaced_by = "pending_replace", new.id
        self._touch(old)
        new.replaces, new.parent = old.id, old.parent
        if old.parent is not None:
            old.parent.legs = [new if leg is old else leg for leg in old.parent.legs]
        new.legs, old.legs = old.legs, []
        for leg in new.legs:
            leg.parent = new
            leg.qty = new.qty
        legs, new.legs = new.legs, []
        self.submit(new)
        new.legs = legs
        new.is_armed = old.is_armed
        self._tell("pending_replace", old)

    def tick(self) -> None:
        """Let everything happen that the present time and prices bring about."""
        now = self.clock.now_ns()
        self._let_in(now)
        if self._open:
            sights: dict[str, Sight | None] = {}
            for order in list(self._open.values()):
                if order.is_open:
                    self._work(order, now, sights)
        for account in self.accounts.values():
            settle_contracts(self, account, now)
        self._seen_ns = now

    def _let_in(self, now: int) -> None:
        """First tick of an order: in it goes, and what it replaces or cancels is gone."""
        for order in list(self._open.values()):
            match order.status:
                case "pending_cancel":
                    self._end(order, "canceled")
                    self._cancel_siblings(order)
                case "pending_replace":
                    self._end(order, "replaced")
                case "pending_new":
                    self._admit(order, now)
                case "accepted" if self._may_trade(order, now):
                    self._admit(order, now)

    def _admit(self, order: Order, now: int) -> None:
        if order.parent is not None and order.parent.is_multi_leg:
            return
        if order.replaces is not None:
            replaced = self.accounts[order.account].orders[order.replaces]
            if replaced.is_open:
                self._end(replaced, "replaced")
        if order.is_armed or _waits_for_entry(order):
            order.status = "held"
            return
        status = "new" if self._may_trade(order, now) else "accepted"
        if status == order.status:
            return
        order.status = status
        order.live_ns = now if status == "new" else None
        if order.type == "trailing_stop" and status == "new":
            price = self.market.price(order.symbol)
            if price is not None:
                trail(order, price)
        for leg in order.legs if order.is_multi_leg else ():
            leg.status = status
            self._touch(leg)
        self._touch(order)
        self._tell("new" if status == "new" else "accepted", order)

    def _may_trade(self, order: Order, now: int) -> bool:
        if order.release_ns is not None:
            return now >= order.release_ns
        if order.instrument is not None and order.instrument.asset_class == "crypto":
            return True
        phase = self.market.phase()
        return phase == "open" or (order.extended_hours and phase in {"pre", "post"})

    def _work(self, order: Order, now: int, sights: dict[str, Sight | None]) -> None:
        if order.expires_ns is not None and now >= order.expires_ns and order.status != "held":
            self._end(order, "expired")
            self._cancel_siblings(order)
            return
        is_waiting = order.status not in {"new", "partially_filled"} and not order.is_armed
        is_leg_of_many = order.parent is not None and order.parent.is_multi_leg
        if is_waiting or is_leg_of_many or not self._may_trade(order, now):
            return
        if order.is_multi_leg:
            self._fill_together(order, sights)
            return
        sight = self._sight(order.symbol, order, sights)
        price = price_for(order, sight) if sight is not None else None
        if order.is_armed and order.is_triggered:
            self._leave_hold(order)
        if price is not None:
            self._fill(order, price)
        if order.is_open and order.time_in_force in {"ioc", "fok", "opg", "cls"}:
            self._end(order, "canceled")
            self._cancel_siblings(order)

    def _sight(self, symbol: str, order: Order, sights: dict[str, Sight | None]) -> Sight | None:
        if symbol not in sights:
            sights[symbol] = self._look(symbol)
        sight = sights[symbol]
        if sight is None or (order.live_ns is not None and order.live_ns <= self._seen_ns):
            return sight
        # An order that has just come in is not filled by what traded before it.
        last = self.market.price(symbol)
        return Sight(sight.bid, sight.ask, () if last is None else (last,))

    def _look(self, symbol: str) -> Sight | None:
        now, since = self.clock.now_ns(), self._seen_ns + 1
        quote, last = self.market.quote(symbol), self.market.price(symbol)
        if quote is None or last is None:
            return None
        prices: list[Decimal] = []
        if now - since > LOOK_BACK:
            step = MINUTE if now - since < 3000 * MINUTE else 60 * MINUTE
            for bar in self.market.bars(symbol, step, since, now):
                prices.extend((bar.open, bar.low, bar.high, bar.close))
        elif now > since:
            prices.extend(trade.price for trade in self.market.trades(symbol, since, now + 1))
        return Sight(quote.bid, quote.ask, (*prices, last))

    def _fill(self, order: Order, price: Decimal) -> None:
        left = order.left(price)
        qty = self._portion(order, left, price)
        if order.time_in_force == "fok" and qty < left:
            return
        if qty <= 0:
            self._end(order, "canceled")
            return
        self._execute(order, qty, price)
        if order.status == "filled":
            self._release_legs(order)
            self._cancel_siblings(order)

    def _portion(self, order: Order, left: Decimal, price: Decimal) -> Decimal:
        qty = left
        cap = self.filling.slice_value
        whole = order.instrument is not None and not _is_fractional(left)
        if cap is not None and left * price * order.multiplier > cap:
            qty = cap / (price * order.multiplier)
        elif left > 1 and self._chance.random() < self.filling.partial_chance:
            qty = left * Decimal(str(round(0.2 + 0.6 * self._chance.random(), 3)))
        step = Decimal(1) if whole else QTY_STEP
        return min(left, max(step, qty.quantize(step, rounding="ROUND_DOWN")))

    def _leave_hold(self, order: Order) -> None:
        """A stop is hit: it takes the place of the take-profit, for what that one left."""
        order.is_armed = False
        order.status = "new"
        parent = order.parent
        for other in (parent, *parent.legs) if parent is not None else ():
            if other.is_open and other is not order and order.qty is not None:
                order.qty -= other.filled_qty
        self._cancel_siblings(order)

    def _execute(self, order: Order, qty: Decimal, price: Decimal) -> None:
        account = self.accounts[order.account]
        assert order.instrument is not None
        now = self.clock.now_ns()
        order.filled_qty += qty
        order.filled_value += qty * price
        left = order.left(price)
        order.status = "partially_filled" if left > 0 else "filled"
        order.filled_ns = now
        self._touch(order)
        held = account.position(order.symbol)
        before = held.qty if held else ZERO
        fill = Fill(
            id=self.new_id(),
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            multiplier=order.multiplier,
            cum_qty=order.filled_qty,
            leaves_qty=left,
            order_status=order.status,
            position_qty=before + (qty if order.side == "buy" else -qty),
            time_ns=now,
        )
        account.book(order.instrument, fill)
        if order.status == "filled":
            self._forget(order)
        self._tell("fill" if left <= 0 else "partial_fill", order, fill)

    def _fill_together(self, parent: Order, sights: dict[str, Sight | None]) -> None:
        net, prices = ZERO, []
        for leg in parent.legs:
            sight = self._sight(leg.symbol, leg, sights)
            if sight is None:
                return
            price = sight.price(leg.side)
            prices.append(price)
            ratio = leg.ratio_qty or Decimal(1)
            net += ratio * price if leg.side == "buy" else -ratio * price
        if parent.limit_price is not None and net > parent.limit_price:
            return
        assert parent.qty is not None
        for leg, price in zip(parent.legs, prices, strict=True):
            assert leg.qty is not None
            self._execute(leg, leg.qty, price)
        parent.filled_qty, parent.filled_value = parent.qty, parent.qty * net
        parent.status, parent.filled_ns = "filled", self.clock.now_ns()
        self._forget(parent)
        self._touch(parent)
        self._tell("fill", parent)

    def _release_legs(self, order: Order) -> None:
        """After an entry: the take-profit goes to the market, a stop beside it stays held."""
        if order.order_class not in {"bracket", "oto"} or order.parent is not None:
            return
        is_alone = len(order.legs) == 1
        for leg in order.legs:
            if leg.status != "held":
                continue
            leg.qty = order.filled_qty
            if is_alone or leg.type == "limit":
                leg.status = "pending_new"
            else:
                leg.is_armed = True
            self._touch(leg)

    def _cancel_siblings(self, order: Order) -> None:
        """One exit done, or an entry gone: the orders tied to it end as well."""
        family: Iterable[Order]
        if order.parent is not None:
            family = (order.parent, *order.parent.legs)
        elif order.order_class == "oco" or order.status != "filled" or order.is_multi_leg:
            family = order.legs
        else:
            return
        for other in family:
            if other is not order and other.is_open:
                self._end(other, "canceled")

    def _end(self, order: Order, status: str) -> None:
        now = self.clock.now_ns()
        order.status = status
        order.is_armed = False
        match status:
            case "canceled":
                order.canceled_ns = now
            case "expired":
                order.expired_ns = now
            case "replaced":
                order.replaced_ns = now
        self._forget(order)
        self._touch(order)
        self._tell(status, order)

    def _forget(self, order: Order) -> None:
        """Nothing can happen to it any more."""
        self._open.pop(order.id, None)
        self.accounts[order.account].open_orders.pop(order.id, None)

    def _touch(self, order: Order) -> None:
        order.updated_ns = self.clock.now_ns()

    def _tell(self, kind: str, order: Order, fill: Fill | None = None) -> None:
        id = fill.id if fill else self.new_id()
        event = OrderEvent(kind, order, self.clock.now_ns(), id, fill)
        self.events.append(event)
        for listener in list(self._listeners):
            listener(event)


def _is_fractional(qty: Decimal) -> bool:
    return qty != qty.to_integral_value()


def _waits_for_entry(order: Order) -> bool:
    parent = order.parent
    is_exit = parent is not None and parent.order_class in {"bracket", "oto"}
    return is_exit and parent is not None and parent.status != "filled"


def changed(order: Order, **changes: object) -> Order:
    """A copy of an order with other values, not yet submitted anywhere."""
    values = {each.name: getattr(order, each.name) for each in fields(order)}
    return Order(**{**values, **changes})
