"""Deterministic simulation of order placement: whole days of faults in virtual time."""
