"""What an option's price says: implied volatility and the greeks, by Black and Scholes."""

import math
from dataclasses import dataclass
from decimal import Decimal

from sentio_async.sim.calendar import midnight_ns
from sentio_async.sim.instruments import Contract
from sentio_async.sim.venues.times import DAY

RATE = 0.04
YEAR = 365 * DAY


@dataclass(frozen=True, slots=True)
class Greeks:
    """Sensitivities of one contract; theta is per day, vega and rho per percent point."""

    volatility: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def greeks(contract: Contract, spot: Decimal, price: Decimal, now_ns: int) -> Greeks | None:
    """The greeks at this price; None when the contract is as good as expired or worthless."""
    expires_ns = midnight_ns(contract.expires) + 16 * DAY // 24
    years = (expires_ns - now_ns) / YEAR
    if years < 1 / 2000 or price <= 0:
        return None
    terms = (float(spot), float(contract.strike), years, contract.right == "call")
    volatility = _implied(terms, float(price))
    return _greeks(terms, volatility) if volatility is not None else None


def _normal(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


Terms = tuple[float, float, float, bool]


def _d1(terms: Terms, volatility: float) -> float:
    spot, strike, years, _ = terms
    drift = math.log(spot / strike) + (RATE + volatility * volatility / 2) * years
    return drift / (volatility * math.sqrt(years))


def worth(terms: Terms, volatility: float) -> float:
    """The price at this volatility."""
    spot, strike, years, is_call = terms
    d1 = _d1(terms, volatility)
    d2 = d1 - volatility * math.sqrt(years)
    discounted = strike * math.exp(-RATE * years)
    if is_call:
        return spot * _normal(d1) - discounted * _normal(d2)
    return discounted * _normal(-d2) - spot * _normal(-d1)


def _implied(terms: Terms, price: float) -> float | None:
    low, high = 0.01, 5.0
    if not worth(terms, low) < price < worth(terms, high):
        return None
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(terms, middle) < price else (low, middle)
    return round((low + high) / 2, 6)


def _greeks(terms: Terms, volatility: float) -> Greeks:
    spot, strike, years, is_call = terms
    d1 = _d1(terms, volatility)
    d2 = d1 - volatility * math.sqrt(years)
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    discounted = strike * math.exp(-RATE * years)
    sign = 1 if is_call else -1
    decay = -spot * density * volatility / (2 * math.sqrt(years))
    return Greeks(
        volatility=volatility,
        delta=round(sign * _normal(sign * d1), 6),
        gamma=round(density / (spot * volatility * math.sqrt(years)), 6),
        theta=round((decay - sign * RATE * discounted * _normal(sign * d2)) / 365, 6),
        vega=round(spot * density * math.sqrt(years) / 100, 6),
        rho=round(sign * discounted * years * _normal(sign * d2) / 100, 6),
    )
