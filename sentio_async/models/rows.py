"""Rows of market data: small, frozen, quick to decode, and at home in pydantic models.

A row is a msgspec Struct that also carries a pydantic schema, so that it can be a field of a
user's model and a FastAPI answer.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Self

import msgspec
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["Row", "utc_from_ns"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_from_ns(ns: int) -> datetime:
    """The aware UTC time of epoch nanoseconds, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


class Row(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Base of all rows."""

    def to_dict(self) -> dict[str, Any]:
        """The row's fields by name."""
        return msgspec.structs.asdict(self)

    @classmethod
    def _from_any(cls, value: Any) -> Self:
        if isinstance(value, cls):
            return value
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as exc:
            raise ValueError(str(exc)) from exc

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._from_any,
            # A name of its own in a user's OpenAPI, as pydantic gives its models.
            ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
            serialization=core_schema.plain_serializer_function_ser_schema(msgspec.to_builtins),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        (described,), components = msgspec.json.schema_components([cls])
        shape: dict[str, Any] = _whole(described, components)
        return shape


def _whole(schema: Any, components: dict[str, Any]) -> Any:
    """The schema with everything it refers to in place: pydantic keeps no parts of ours."""
    if isinstance(schema, list):
        return [_whole(each, components) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _whole(components[schema["$ref"].rsplit("/", 1)[-1]], components)
    return {name: _whole(each, components) for name, each in schema.items()}
