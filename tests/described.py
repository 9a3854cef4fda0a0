"""The vendors' OpenAPI descriptions, read as far as tests need them.

    described = Description.load(shared, "alpaca-trading.json")
    assert described.check_request("GET", call.target, call.body) == []
    assert described.check_answer("GET", "/v2/orders", 200, body) == []

Each ``check_`` answers a list of what is wrong, empty when nothing is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import UUID

import jsonschema

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_WHOLE = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_NESTED = {
    "one": ("items", "not", "additionalProperties"),
    "many": ("allOf", "oneOf", "anyOf"),
}
# OpenAPI 3.0 words that JSON Schema does not know, or reads differently.
_DROPPED = frozenset({"nullable", "discriminator", "readOnly", "writeOnly", "xml", "externalDocs"})

formats = jsonschema.FormatChecker(formats=())
# Alpaca describes "RFC 3339 or YYYY-MM-DD" as a date-time, and takes both in queries.
query_formats = jsonschema.FormatChecker(formats=())


@query_formats.checks("date", raises=ValueError)
@formats.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@formats.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return bool(_TIME.fullmatch(value) and datetime.fromisoformat(value[:19]))


@query_formats.checks("date-time", raises=ValueError)
def _is_time_or_date(value: object) -> bool:
    return _is_date(value) if isinstance(value, str) and len(value) == 10 else _is_time(value)


@query_formats.checks("uuid", raises=ValueError)
@formats.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or bool(UUID(value))


class Description:
    """One OpenAPI 3.0 document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._paths: dict[str, dict[str, Any]] = document["paths"]

    @staticmethod
    def load(shared: Path, name: str) -> Description:
        """The description in ``shared/openapi/``; each file is read once."""
        return _load(shared, name)

    def operations(self) -> list[tuple[str, str]]:
        """Every (METHOD, path template)."""
        return [
            (method.upper(), template)
            for template, item in self._paths.items()
            for method in METHODS
            if method in item
        ]

    def find(self, method: str, path: str) -> str | None:
        """The path template that a path stands for; None when nothing is there."""
        return next(iter(self._find_all(method, path)), None)

    def check_request(
        self, method: str, target: str, body: bytes | None = None, *, known: Iterable[str] = ()
    ) -> list[str]:
        """What the description does not allow in a request; ``known`` queries are let through."""
        path, _, query = target.partition("?")
        templates = self._find_all(method, path)
        if not templates:
            return [f"{method} {path}: not described"]
        wrongs = [self._check_one(method, t, path, query, body, set(known)) for t in templates]
        return min(wrongs, key=len)

    def check_answer(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What the description does not allow in an answer; ``body`` is bytes, text or a value."""
        path = path.partition("?")[0]
        templates = self._find_all(method, path)
        if not templates:
            return [f"{method} {path}: not described"]
        wrongs = [self._check_answer_of(method, t, status, body) for t in templates]
        return min(wrongs, key=len)

    def _find_all(self, method: str, path: str) -> list[str]:
        """Every template that fits best; literal segments win, from the left."""
        if "{" in path and self._operation(method, path):
            return [path]
        fitting = [t for t in self._templates[path.count("/")] if _fits(t, path)]
        fitting = [t for t in fitting if self._operation(method, t)]
        best = max(map(_literals, fitting), default=())
        return [t for t in fitting if _literals(t) == best]

    @cached_property
    def _templates(self) -> dict[int, list[str]]:
        by_depth: dict[int, list[str]] = {depth: [] for depth in range(64)}
        for template in self._paths:
            by_depth[template.count("/")].append(template)
        return by_depth

    def _operation(self, method: str, template: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._paths.get(template, {}).get(method.lower())
        return found

    def _resolve(self, value: Any) -> Any:
        while isinstance(value, dict) and "$ref" in value:
            target: Any = self._document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            value = target
        return value

    def _parameters(self, method: str, template: str) -> Iterator[dict[str, Any]]:
        operation = self._operation(method, template) or {}
        own = [self._resolve(p) for p in operation.get("parameters", ())]
        shared = [self._resolve(p) for p in self._paths[template].get("parameters", ())]
        taken = {(p["in"], p["name"]) for p in own}
        yield from own
        yield from (p for p in shared if (p["in"], p["name"]) not in taken)

    def _check_one(
        self,
        method: str,
        template: str,
        path: str,
        query: str,
        body: bytes | None,
        known: set[str],
    ) -> list[str]:
        parameters = {(p["in"], p["name"]): p for p in self._parameters(method, template)}
        given = parse_qsl(query, keep_blank_values=True)
        wrong = []
        for name, text in given:
            if ("query", name) in parameters:
                wrong += self._check_value(parameters["query", name], text)
            elif name not in known:
                wrong.append(f"query {name}: unknown")
        names = {name for name, _ in given}
        for (place, name), parameter in parameters.items():
            if place == "query" and parameter.get("required") and name not in names:
                wrong.append(f"query {name}: missing")
        for name, text in _path_values(template, path):
            if ("path", name) in parameters:
                wrong += self._check_value(parameters["path", name], text)
        return wrong + self._check_body(method, template, body)

    def _check_value(self, parameter: dict[str, Any], text: str) -> list[str]:
        where = f"{parameter['in']} {parameter['name']}"
        schema = self._resolve(parameter.get("schema", {}))
        is_list = schema.get("type") == "array"
        if is_list:
            items = self._resolve(schema.get("items", {}))
            parts = [text] if parameter.get("explode", True) and "," not in text else []
            value: Any = [_typed(items, part) for part in parts or text.split(",")]
        else:
            value = _typed(schema, text)
        # A date is a time here (see above), so "one of both" cannot mean "exactly one".
        schema = {"anyOf" if key == "oneOf" else key: each for key, each in schema.items()}
        return self._check(schema, value, where, query_formats)

    def _check_body(self, method: str, template: str, body: bytes | None) -> list[str]:
        described = self._resolve((self._operation(method, template) or {}).get("requestBody"))
        if described is None:
            return [] if body is None else ["body: none is described"]
        if body is None:
            return ["body: missing"] if described.get("required") else []
        schema = described["content"].get("application/json", {}).get("schema", {})
        return self._check(schema, json.loads(body), "body")

    def _check_answer_of(self, method: str, template: str, status: int, body: Any) -> list[str]:
        responses = (self._operation(method, template) or {}).get("responses", {})
        found = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if found is None:
            found = responses.get("default")
            if found is None:
                return [f"status {status}: not described"]
        content = self._resolve(found).get("content", {})
        if "application/json" not in content:
            return [] if not content or status == 204 else ["answer: described as no JSON"]
        schema = content["application/json"].get("schema", {})
        value = json.loads(body) if isinstance(body, bytes | str) else body
        return self._check(schema, value, "answer")

    @cached_property
    def _components(self) -> dict[str, Any]:
        schemas = self._document.get("components", {}).get("schemas", {})
        return {"schemas": {name: as_json_schema(schema) for name, schema in schemas.items()}}

    def _check(
        self,
        schema: dict[str, Any],
        value: Any,
        where: str,
        checker: jsonschema.FormatChecker = formats,
    ) -> list[str]:
        whole = {"allOf": [as_json_schema(schema)], "components": self._components}
        validator = jsonschema.Draft202012Validator(whole, format_checker=checker)
        return [
            f"{where}{error.json_path.removeprefix('$')}: {error.message[:300]}"
            for error in validator.iter_errors(value)
        ]


@lru_cache
def _load(shared: Path, name: str) -> Description:
    return Description(json.loads((shared / "openapi" / name).read_bytes()))


def as_json_schema(schema: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema 2020-12."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:  # in 3.0 nothing beside a $ref counts; "nullable" is meant all the same
        ref = {"$ref": schema["$ref"]}
        return {"anyOf": [ref, {"type": "null"}]} if schema.get("nullable") else ref
    new = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "properties" in new:
        new["properties"] = {n: as_json_schema(s) for n, s in new["properties"].items()}
    for key in _NESTED["one"]:
        if key in new:
            new[key] = as_json_schema(new[key])
    for key in _NESTED["many"]:
        if key in new:
            new[key] = [as_json_schema(each) for each in new[key]]
    for limit in ("Minimum", "Maximum"):
        if new.pop(f"exclusive{limit}", None) is True:
            new[f"exclusive{limit}"] = new.pop(limit.lower())
    return {"anyOf": [new, {"type": "null"}]} if schema.get("nullable") else new


def _typed(schema: dict[str, Any], text: str) -> Any:
    """What a query text means by its schema; text that does not fit stays text."""
    match schema.get("type"):
        case "integer" if _WHOLE.fullmatch(text):
            return int(text)
        case "number" if _NUMBER.fullmatch(text):
            return float(text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
    return text


@lru_cache(maxsize=4096)
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]*\})", template)
    return re.compile("".join("([^/]+)" if p[:1] == "{" else re.escape(p) for p in parts))


def _fits(template: str, path: str) -> bool:
    return _pattern(template).fullmatch(path) is not None


def _literals(template: str) -> tuple[bool, ...]:
    return tuple("{" not in segment for segment in template.split("/"))


def _path_values(template: str, path: str) -> list[tuple[str, str]]:
    found = _pattern(template).fullmatch(path)
    if found is None or "{" in path:
        return []
    return list(
        zip(re.findall(r"\{([^}]*)\}", template), map(unquote, found.groups()), strict=True)
    )
