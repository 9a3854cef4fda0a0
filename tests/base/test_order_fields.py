"""Editors and type checkers know every field of an order that can be given by name."""

import inspect
from typing import get_type_hints

from sentio_async import OrderChange, OrderRequest
from sentio_async.base.order_fields import ChangeFields, OrderFields
from sentio_async.base.ordering import OrderCalls


def test_what_place_order_takes_by_name_is_what_an_order_request_has():
    parameters = inspect.signature(OrderCalls.place_order).parameters.keys()
    fields = get_type_hints(OrderFields).keys()

    own = parameters - {"self", "order_type", "intent_key", "more"}
    assert fields | own == OrderRequest.model_fields.keys()
    assert not fields & own


def test_what_replace_order_takes_by_name_is_what_an_order_change_has():
    assert get_type_hints(ChangeFields).keys() == OrderChange.model_fields.keys()
