"""Parts that all routes share: measuring, problems, the service, reading a body, answering with JSON."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect

from decision_service import metrics
from decision_service.api.media_types import refuse_unreadable
from decision_service.api.problems import problem_response
from decision_service.app import Service
from decision_service.errors import INTERNAL, Incomplete, Invalid, ServiceError, TooLarge, Unavailable
from decision_service.learning.registry.base import RegistryUnavailable
from decision_service.log.base import LogUnavailable
from decision_service.schemas.parsing import invalid_fields, parse
from decision_service.schemas.requests import ABOUT_A_SHOPPER, Body, MomentBody, ShopperId
from decision_service.service_log import REQUEST_ID

SINGLE_LIMIT = 1 << 20
LIST_LIMIT = 8 << 20

_ID_LENGTH = 100

_BODY_WITHIN_S = 60.0
"""How long a caller may take for a body. Behind the ingress only a large body arrives while its request has a place."""

_CALLER_LEFT = 499
"""Serve's own status for this; nobody reads it."""

_logger = logging.getLogger(__name__)

BodyType = TypeVar("BodyType", bound=Body)


class ServiceRoute(APIRoute):
    """A route that measures its requests and turns every error into a problem document.

    The route's name is the label ``endpoint`` of the metric.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the framework's handler of a request."""
        handle, name = super().get_route_handler(), self.name
        seconds = metrics.SECONDS.labels(name)

        async def answer(request: Request) -> Response:
            began = time.perf_counter()
            REQUEST_ID.set(request.headers.get("x-request-id", "-")[:_ID_LENGTH])
            try:
                return await handle(request)
            except ClientDisconnect:
                return Response(status_code=_CALLER_LEFT)
            except Exception as error:
                return problem_response(_service_error(error, name))
            finally:
                seconds.observe(time.perf_counter() - began)

        return answer


def _service_error(error: Exception, name: str) -> ServiceError:
    """Turn any error into one that the caller may see; the cause goes to the log of the process."""
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


async def read(request: Request, limit: int) -> bytes:
    """Read a body. If the body is too large or unreadable, read and drop it, so that the caller sees the answer."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_WITHIN_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limit:
                    chunks.append(chunk)
    except TimeoutError:
        raise Incomplete(f"the body did not arrive completely within {_BODY_WITHIN_S:.0f} s") from None
    if size:
        refuse_unreadable(request)
    if size > limit:
        raise TooLarge(f"the body has {size} bytes; at most {limit} are read")
    return b"".join(chunks)


async def read_body(request: Request, model: type[BodyType], limit: int = SINGLE_LIMIT) -> BodyType:
    """Read and validate a body.

    FastAPI would validate the Python objects that it makes of JSON. Bodies are validated as JSON, where a time is
    text and text is never a number: see decision record 0012.
    """
    return parse(model, await read(request, limit))


async def read_moment(request: Request) -> MomentBody:
    """Read the body of a call that needs none: it may hold the time of the call."""
    return parse(MomentBody, await read(request, SINGLE_LIMIT) or b"{}")


async def refuse_repeated_query_parameters(request: Request) -> None:
    """Refuse a query that has a parameter twice, because only one of its values could be used."""
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if count > 1:
            raise Invalid.field(name, "is given more than once")


def json_response(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(content), status, headers, "application/json")
