"""Errors on the wire: one table from the service's errors to HTTP, and the problem documents (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from fastapi import Request, Response
from msgspec import UNSET
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from decision_service import errors, metrics
from decision_service.schemas.problems import Problem

STATUSES: dict[type[errors.ServiceError], HTTPStatus] = {
    errors.Malformed: HTTPStatus.BAD_REQUEST,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.DecisionConflict: HTTPStatus.CONFLICT,
    errors.Erased: HTTPStatus.GONE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.Incomplete: HTTPStatus.REQUEST_TIMEOUT,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ServiceError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each error; an error that is not listed has the status of its base class."""

MEDIA_TYPE = "application/problem+json"


def status_of(error: type[errors.ServiceError]) -> HTTPStatus:
    """Return the HTTP status of an error.

    >>> status_of(errors.Uncertain).value
    503
    """
    return next(STATUSES[base] for base in error.__mro__ if base in STATUSES)


def problem_of(error: errors.ServiceError) -> Problem:
    """Write the problem document of an error."""
    status = status_of(type(error))
    applied = UNSET if error.applied is None else error.applied
    return Problem(title=status.phrase, status=status.value, detail=error.detail, errors=error.errors, applied=applied)


def problem_response(error: errors.ServiceError) -> Response:
    """Answer with the problem document of an error."""
    problem = problem_of(error)
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return _response(problem, headers)


def framework_problem(request: Request, error: HTTPException) -> Response:
    """Write one of the framework's own errors (no such path, wrong method) as a problem document."""
    status = error.status_code
    problem = Problem(
        title=str(error.detail), status=status, detail=f"{request.method} {request.scope['path']}", errors=()
    )
    headers = {"Allow": ", ".join(_methods(request))} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
    return _response(problem, headers)


def _response(problem: Problem, headers: dict[str, str]) -> Response:
    metrics.PROBLEMS.labels(str(problem.status)).inc()
    return Response(msgspec.json.encode(problem), problem.status, headers, MEDIA_TYPE)


def _methods(request: Request) -> list[str]:
    """Name the methods of a path: those of all routes with the first template that matches. GET also means HEAD."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in matching if route.path == matching[0].path for method in route.methods or ()}
    return sorted({*methods, "HEAD"} if "GET" in methods else methods)
