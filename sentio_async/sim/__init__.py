"""The embedded exchange: vendors of a trading system, served from loopback."""
