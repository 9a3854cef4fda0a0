"""Alpaca: trading live and on paper, market data, order updates."""
