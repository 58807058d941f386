"""The report: what was decided, and what came of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from decision_service.api.documentation import describe
from decision_service.api.routing import ServiceOf, ServiceRoute, json_response, refuse_repeated_names
from decision_service.errors import Invalid, Unavailable
from decision_service.queries.report.reporter import ReportAnswer, ReportQuery

router = APIRouter(route_class=ServiceRoute, tags=["Report"])


@router.get(
    "/v1/report",
    name="report",
    dependencies=[Depends(refuse_repeated_names)],
    **describe(
        "getReport",
        "Report what was decided and what came of it, straight from the log",
        answer=ReportAnswer,
        errors=(Invalid, Unavailable),
    ),
)
async def get_report(query: Annotated[ReportQuery, Query()], service: ServiceOf) -> Response:
    """Decisions dated in [from, to) are counted by the group they belong to.

    Everything that the log knows of them by now is counted, however late it came. Purchases are those dated in
    [from, to). Consent is what it was at `to`.
    """
    return json_response(await service.reporter.report(query))
