"""Brokers, market data and notifications behind one typed asyncio interface."""
