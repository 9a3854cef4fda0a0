"""Alpaca on the wire: what is asked, and how the answers are read.  Nothing here does I/O."""
