"""Polygon's code tables: exchanges, trade and quote conditions, ticker types."""

from typing import Any

Json = dict[str, Any]


def _exchange(
    id: int, name: str, mic: str, operating: str, letter: str, kind: str = "exchange"
) -> Json:
    row: Json = {
        "id": id,
        "type": kind,
        "asset_class": "stocks",
        "locale": "us",
        "name": name,
        "operating_mic": operating,
        "participant_id": letter,
    }
    return {**row, "mic": mic} if mic else row


STOCK_EXCHANGES = [
    _exchange(1, "NYSE American, LLC", "XASE", "XNYS", "A"),
    _exchange(2, "Nasdaq OMX BX, Inc.", "XBOS", "XNAS", "B"),
    _exchange(3, "NYSE National, Inc.", "XCIS", "XNYS", "C"),
    _exchange(4, "FINRA Alternative Display Facility", "XADF", "FINR", "D", "TRF"),
    _exchange(5, "Unlisted Trading Privileges", "", "XNAS", "E", "SIP"),
    _exchange(7, "Cboe EDGA", "EDGA", "XCBO", "J"),
    _exchange(8, "Cboe EDGX", "EDGX", "XCBO", "K"),
    _exchange(9, "NYSE Chicago, Inc.", "XCHI", "XNYS", "M"),
    _exchange(10, "New York Stock Exchange", "XNYS", "XNYS", "N"),
    _exchange(11, "NYSE Arca, Inc.", "ARCX", "XNYS", "P"),
    _exchange(12, "Nasdaq", "XNAS", "XNAS", "T"),
    _exchange(13, "Consolidated Tape Association", "", "XNYS", "S", "SIP"),
    _exchange(14, "Long-Term Stock Exchange", "LTSE", "LTSE", "L"),
    _exchange(15, "Investors Exchange", "IEXG", "IEXG", "V"),
    _exchange(17, "Nasdaq Philadelphia Exchange LLC", "XPHL", "XNAS", "X"),
    _exchange(18, "Cboe BYX", "BATY", "XCBO", "Y"),
    _exchange(19, "Cboe BZX", "BATS", "XCBO", "Z"),
    _exchange(20, "MIAX Pearl", "EPRL", "MIHI", "H"),
    _exchange(21, "Members Exchange", "MEMX", "MEMX", "U"),
]
EXCHANGES: list[Json] = [
    *STOCK_EXCHANGES,
    {
        "id": 309,
        "type": "exchange",
        "asset_class": "options",
        "locale": "us",
        "name": "Nasdaq PHLX",
    },
    {"id": 1, "type": "exchange", "asset_class": "crypto", "locale": "global", "name": "Coinbase"},
    {
        "id": 48,
        "type": "exchange",
        "asset_class": "fx",
        "locale": "global",
        "name": "Currency Banks 1",
    },
]
# The newer tables write ids as text.
NEW_EXCHANGES: dict[str, list[Json]] = {
    "stocks": [
        {
            **{key: value for key, value in row.items() if key != "asset_class"},
            "id": str(row["id"]),
        }
        for row in STOCK_EXCHANGES
    ],
    "options": [{"id": "309", "type": "exchange", "name": "Nasdaq PHLX", "locale": "us"}],
    "crypto": [{"id": "1", "type": "exchange", "name": "Coinbase"}],
    "forex": [{"id": "48", "type": "exchange", "name": "Currency Banks 1"}],
}


def _type(code: str, description: str, asset_class: str = "stocks") -> Json:
    return {
        "code": code,
        "description": description,
        "asset_class": asset_class,
        "locale": "us",
    }


TYPES = [
    _type("CS", "Common Stock"),
    _type("ADRC", "American Depository Receipt Common"),
    _type("ETF", "Exchange Traded Fund"),
    _type("ETN", "Exchange Traded Note"),
    _type("FUND", "Fund"),
    _type("PFD", "Preferred Stock"),
    _type("RIGHT", "Rights"),
    _type("UNIT", "Unit"),
    _type("WARRANT", "Warrant"),
    _type("INDEX", "Index", "indices"),
]


def _condition(
    id: int,
    name: str,
    letters: dict[str, str],
    *,
    moves: tuple[bool, bool, bool] = (True, True, True),
    kind: str = "sale_condition",
    asset_class: str = "stocks",
) -> Json:
    """`moves` tells whether such a trade counts for high and low, open and close, volume."""
    names = ("updates_high_low", "updates_open_close", "updates_volume")
    rules = dict(zip(names, moves, strict=True))
    return {
        "id": id,
        "type": kind,
        "name": name,
        "asset_class": asset_class,
        "data_types": ["bbo", "nbbo"] if kind == "quote_condition" else ["trade"],
        "sip_mapping": letters,
        "legacy": False,
        "update_rules": {"consolidated": rules, "market_center": dict(rules)},
    }


CONDITIONS = [
    _condition(0, "Regular Sale", {"CTA": "@", "UTP": "@"}),
    _condition(1, "Regular, Two-Sided Open", {"CTA": "R", "UTP": "R"}, kind="quote_condition"),
    _condition(8, "Closing Prints", {"CTA": "6", "UTP": "6"}),
    _condition(12, "Form T/Extended Hours", {"CTA": "T", "UTP": "T"}, moves=(False, False, True)),
    _condition(14, "Intermarket Sweep", {"CTA": "F", "UTP": "F"}),
    _condition(17, "Market Center Opening Trade", {"CTA": "O", "UTP": "O"}),
    _condition(37, "Odd Lot Trade", {"CTA": "I", "UTP": "I"}, moves=(False, False, True)),
    _condition(41, "Trade Thru Exempt", {"CTA": "X", "UTP": "X"}, kind="trade_thru_exempt"),
    _condition(52, "Contingent Trade", {"CTA": "V", "UTP": "V"}, moves=(False, False, True)),
    _condition(209, "Automatic Execution", {"OPRA": "I"}, asset_class="options"),
    _condition(1, "Sell Side", {}, asset_class="crypto"),
    _condition(2, "Buy Side", {}, asset_class="crypto"),
]
