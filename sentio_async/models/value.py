"""What every trading value is made of: a frozen model that keeps what it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Amount", "Nanoseconds", "Raw", "Value", "built"]


Amount = Annotated[Decimal, Field(allow_inf_nan=False)]
"""Money or a quantity: a finite Decimal, written as a string in JSON.

A float is taken by its shortest decimal text, a bool is refused.
"""

Raw = Annotated[Mapping[str, Any], Field(default_factory=dict, repr=False, exclude=True)]
"""The vendor's own row, unknown fields included; not part of repr or of dumps."""

Nanoseconds = Annotated[Mapping[str, int], Field(default_factory=dict, repr=False)]
"""Epoch nanoseconds of the times beside it, by field name, as exact as the vendor sent them."""


class Value(BaseModel):
    """A value that crosses to user code: frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


V = TypeVar("V", bound=Value)
_set = object.__setattr__


def built(kind: type[V], fields: dict[str, Any], given: set[str]) -> V:
    """A value of what has the right types already: nothing is checked, so it costs little.

    ``fields`` are all its fields, in the order of the class; ``given`` are those that were not
    left to their defaults.  The value is the same as one that was checked.
    """
    value = kind.__new__(kind)
    _set(value, "__dict__", fields)
    _set(value, "__pydantic_fields_set__", given)
    _set(value, "__pydantic_extra__", None)
    _set(value, "__pydantic_private__", None)
    return value
