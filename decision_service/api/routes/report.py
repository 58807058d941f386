"""The report: decisions and their outcomes in numbers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from decision_service.api.bodies import json_response
from decision_service.api.documentation import Answers, describe
from decision_service.api.routing import ServiceOf, refuse_repeated_query_parameters
from decision_service.errors import Invalid, Unavailable
from decision_service.queries.report.reporter import ReportAnswer, ReportQuery

router = APIRouter(tags=["Report"])


@router.get(
    "/v1/report",
    name="report",
    dependencies=[Depends(refuse_repeated_query_parameters)],
    **describe(
        "getReport",
        "Report decisions and their outcomes, straight from the log",
        Answers(ReportAnswer),
        errors=(Invalid, Unavailable),
    ),
)
async def get_report(query: Annotated[ReportQuery, Query()], service: ServiceOf) -> Response:
    """Decisions dated in [from, to) are counted in their groups.

    An outcome of these decisions counts however late it came. Purchases count if they are dated in [from, to). Consent
    is the consent at `to`.
    """
    return json_response(await service.reporter.report(query))
