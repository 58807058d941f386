"""The catalogue: the messages that may be sent, and the rules for them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from decision_service.api.bodies import LIST_LIMIT, json_response, read_raw
from decision_service.api.documentation import CATALOGUE_VERSION, Answers, Reads, describe
from decision_service.api.routing import ServiceOf
from decision_service.catalogues.dropped_names import IN_USE
from decision_service.errors import Invalid, Malformed, Unavailable
from decision_service.schemas.command_answers import CatalogueVersionAnswer
from decision_service.schemas.parsing import parse_json
from policies.catalogue.document import Catalogue

router = APIRouter(tags=["Catalogue"])

_WARNINGS = [
    {"path": path, "message": IN_USE, "shoppers": 0, "sends": 1} for path in ("messages.hint", "categories.browse")
]
_TEMPLATES = {"push": {"en": {"title": "Still yours", "body": "{{ product | default('Your cart') }} is waiting."}}}


@router.get(
    "/v1/catalog",
    name="catalog",
    **describe(
        "getCatalogue",
        "Return the catalogue in force",
        Answers(Catalogue, headers=CATALOGUE_VERSION),
        errors=(Unavailable,),
    ),
)
async def get_catalogue(service: ServiceOf) -> Response:
    """The same document as the file of `--catalog`, with every default filled in."""
    rulebook = service.rulebook
    return json_response(rulebook.catalogue.to_document(), headers={"Catalog-Version": str(rulebook.version)})


@router.put(
    "/v1/catalog",
    name="put_catalog",
    **describe(
        "putCatalogue",
        "Replace the catalogue on every replica",
        Answers(CatalogueVersionAnswer, example={"version": 2, "warnings": _WARNINGS}),
        reads=Reads(
            Catalogue,
            {
                "delays_s": [0, 3600],
                "channels": {"push": {"attribution_window_s": 14_400, "caps": [{"max": 3, "window_s": 604_800}]}},
                "messages": {
                    "cart_reminder": {"category": "cart", "triggers": ["cart_abandoned"], "templates": _TEMPLATES}
                },
                "triggers": {"cart_abandoned": {"priority": 2, "expires_s": 172_800}},
            },
        ),
        errors=(Invalid, Unavailable),
    ),
)
async def put_catalogue(request: Request, service: ServiceOf) -> Response:
    """The catalogue is validated as a whole, and every mistake is named by its path. A refused one changes nothing.

    `warnings` names the channels, categories and messages that the catalogue dropped although preferences or sends
    name them. To keep consents, caps and cooldowns, list such a name under `formerly` of its new name.
    """
    document = parse_json(await read_raw(request, LIST_LIMIT))
    if not isinstance(document, dict):
        raise Malformed("the body is no JSON object")
    return json_response(await service.put_catalogue(document))
