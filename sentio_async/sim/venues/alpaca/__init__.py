"""Alpaca: the trading API and the market data API."""
