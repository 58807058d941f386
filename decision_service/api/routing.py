"""Parts that routes share: the service, ids in paths, queries, and the error that the caller sees."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from starlette.convertors import Convertor, register_url_convertor

from decision_service.app import Service
from decision_service.errors import INTERNAL, Invalid, ServiceError, Unavailable
from decision_service.learning.registry.base import RegistryUnavailable
from decision_service.log.base import LogUnavailable
from decision_service.schemas.field_types import ABOUT_A_SHOPPER, ShopperId
from decision_service.schemas.parsing import invalid_fields

_logger = logging.getLogger(__name__)


def service_error(error: Exception, name: str) -> ServiceError:
    """Turn any error of an endpoint into one that the caller may see; the cause goes to the log of the process."""
    if isinstance(error, Unavailable) and error.__cause__ is not None:
        _logger.warning("%s: %s: %s", name, error, error.__cause__)
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, LogUnavailable | RegistryUnavailable):
        _logger.warning("%s: %s", name, error)
        return Unavailable("the log or the registry cannot be read")
    _logger.error("%s failed", name, exc_info=error)
    return ServiceError(INTERNAL)


def _invalid(error: RequestValidationError) -> Invalid:
    """Name the fields of the first part of a request that is wrong: its path, or its query."""
    details = error.errors()
    part = details[0]["loc"][0]
    return invalid_fields({**detail, "loc": detail["loc"][1:]} for detail in details if detail["loc"][0] == part)


async def service_of(request: Request) -> Service:
    """Return the service behind the application."""
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(service_of)]
EventPath = Annotated[str, Path(examples=["cart-88213-1"], json_schema_extra={"maxLength": 255})]
"""An id that is too long is "not found" and not "invalid": no decision has such an id."""


class _ShopperIdConvertor(Convertor[str]):
    """Matches an id that may contain slashes, but not the paths of a shopper's parts."""

    regex = ".*" + "".join(f"(?<!{part})" for part in ABOUT_A_SHOPPER)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("shopper_id", _ShopperIdConvertor())

ShopperPath = Annotated[ShopperId, Path(examples=["s-42"])]


async def refuse_repeated_query_parameters(request: Request) -> None:
    """Refuse a query that has a parameter twice, because only one of its values could be used."""
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if count > 1:
            raise Invalid.field(name, "is given more than once")
