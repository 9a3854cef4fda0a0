"""Mutants of orders/ and resilience/, and whether a test notices each: see docs/decisions."""
