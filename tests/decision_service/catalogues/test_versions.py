"""The catalogue over HTTP: a new version is in force on every replica at the answer; a bad document changes nothing."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from decision_service.log.base import NewRow
from decision_service.log.keys import catalogue_key
from policies.records.rows import CatalogueRow
from tests.decision_service.conftest import Start
from tests.factories import small_document

pytestmark = pytest.mark.anyio


async def test_a_new_catalogue_is_in_force_at_the_answer(replica: Start) -> None:
    async with replica(small_document(delays_s=[0]), policy="uniform") as service:
        before = await service.decide(event_id="e-1")
        changed = small_document(delays_s=[0, 60, 120])
        answer = await service.client.put("/v1/catalog", json=changed)
        assert (answer.status_code, answer.json()) == (200, {"version": 2})
        after = await service.decide(event_id="e-2", shopper_id="s-2")
        assert (before["eligible"], after["eligible"]) == (5, 13)
        got = await service.client.get("/v1/catalog")
        assert (got.json()["delays_s"], got.headers["Catalog-Version"]) == ([0, 60, 120], "2")
        explained = (await service.client.get("/v1/decisions/e-1")).json()
        assert explained["catalogue_version"] == 1


async def test_the_catalogue_in_force_can_be_put_and_changes_nothing(replica: Start) -> None:
    async with replica() as service:
        rows = service.rows()
        document = (await service.client.get("/v1/catalog")).json()
        assert (await service.client.put("/v1/catalog", json=document)).json() == {"version": 1}
        assert service.rows() == rows


async def test_a_refused_catalogue_names_every_mistake_and_the_old_one_stays(replica: Start) -> None:
    async with replica(small_document()) as service:
        rows = service.rows()
        wrong = small_document(delays_s=[3600, 0], min_gap_s=-1)
        wrong["channels"]["push"]["quiet_hours"] = {"from": "25:00", "to": "08:00"}
        answer = await service.client.put("/v1/catalog", json=wrong)
        assert answer.status_code == 422
        fields = {error["field"] for error in answer.json()["errors"]}
        assert fields == {"delays_s", "min_gap_s", "channels.push.quiet_hours.from"}
        assert (await service.client.put("/v1/catalog", content=b"[]")).status_code == 400
        assert (await service.client.put("/v1/catalog", content=b"{")).status_code == 400
        assert service.rows() == rows
        assert (await service.decide())["decision"] == "send"


async def test_every_replica_notices_by_itself(replica: Start) -> None:
    async with replica(small_document()) as one, replica(small_document()) as two:
        await one.client.put("/v1/catalog", json=small_document(delays_s=[0]))
        assert (await two.service.versions.refresh()).catalogue == 2
        assert (await two.decide())["decision"] == "send"


async def test_a_replica_that_is_behind_sends_nothing_under_the_old_rules(replica: Start) -> None:
    async with replica(small_document()) as one, replica(small_document()) as two:
        await two.service.versions.stop()
        await one.client.put("/v1/catalog", json=small_document(delays_s=[0]))
        answer = await two.decide()
        assert (answer["decision"], answer["hold_reason"]) == ("hold", "lost_race")


async def test_a_catalogue_put_over_http_outlives_a_restart_but_not_a_changed_file(
    replica: Start, tmp_path: Path
) -> None:
    first, second = small_document(delays_s=[0]), small_document(delays_s=[0, 60])
    async with replica(first) as service:
        await service.client.put("/v1/catalog", json=second)
    async with replica(first) as service:
        assert service.service.rulebook.version == 2
    third = small_document(delays_s=[0, 60, 120])
    async with replica(third) as service:
        assert service.service.rulebook.version == 3
        assert service.service.rulebook.catalogue.delays_s == (0, 60, 120)
    async with replica() as service:
        assert service.service.rulebook.version == 3
    assert yaml.safe_load((tmp_path / "catalogue.yaml").read_text())["delays_s"] == [0, 60, 120]


async def test_a_catalogue_that_drops_names_in_use_says_how_many_shoppers_and_sends_use_them(replica: Start) -> None:
    smaller = small_document()
    del smaller["channels"]["email"]
    smaller["messages"]["reminder"]["category"] = "browse"
    for message in smaller["messages"].values():
        message["templates"] = {"push": message["templates"]["push"]}
    renamed = deepcopy(smaller)
    renamed["channels"]["letters"] = {"attribution_window_s": 60, "formerly": ["email"]}
    renamed["messages"]["hint"]["templates"]["letters"] = {"en": {"body": "B"}}
    renamed["categories"] = {"browse": {"formerly": ["cart"]}}
    async with replica(small_document(), policy="rule") as service:
        unused = await service.client.put("/v1/catalog", json=smaller)
        assert unused.json() == {"version": 2}
        await service.client.put("/v1/catalog", json=small_document())
        for number in range(3):
            path = f"/v1/shoppers/s-{number}/preferences"
            await service.client.put(path, json={"consent": {"email": False}, "muted_categories": ["browse"]})
        only_email = {"exclude": [{"channel": "push"}]}
        assert (await service.decide(shopper_id="s-9", **only_email))["action"]["message"] == "reminder"
        kept = await service.client.put("/v1/catalog", json=renamed)
        assert kept.json() == {"version": 4}
        await service.client.put("/v1/catalog", json=small_document())
        dropped = (await service.client.put("/v1/catalog", json=smaller)).json()
        counts = [(warning["path"], warning["shoppers"], warning["sends"]) for warning in dropped["warnings"]]
        assert counts == [("channels.email", 3, 1), ("categories.cart", 0, 1)]
        await service.post("/v1/clock", {"now": "2026-11-25T17:00:00Z"})
        await service.client.put("/v1/catalog", json=small_document())
        dropped = (await service.client.put("/v1/catalog", json=smaller)).json()
        assert [(warning["path"], warning["sends"]) for warning in dropped["warnings"]] == [("channels.email", 0)]


def document_of_an_earlier_version() -> dict[str, Any]:
    """A document with one of each thing that is refused now."""
    document = small_document(defaults={"time_zone": "localtime", "locale": "en"}, delays_s=[0])
    parts = {
        "title": "{% if points is defined %}{{ points }}{% endif %}",
        "body": "{{ true }}",
        "cta": "\u200b",
        "data": "x",
    }
    document["messages"]["hint"]["templates"] = {
        "push": {"en": parts, "pt-BR": {"body": "um"}, "pt_BR": {"body": "dois"}}
    }
    return document


async def test_a_catalogue_that_the_log_holds_stays_in_force_whatever_is_refused_now(replica: Start) -> None:
    document = document_of_an_earlier_version()
    async with replica(small_document()) as service:
        row = CatalogueRow(service.service.clock.now(), 2, document, "api")
        service.service.log.append([NewRow(row, catalogue_key(2))])
    async with replica() as service:
        await service.wait_until_ready()
        assert service.service.rulebook.version == 2
        wish = [{"type": "wishlist", "attributes": {"points": 7}}]
        content = (await service.decide(triggers=wish, exclude=[{"channel": "email"}]))["content"]
        assert (content["title"], content["data"]["trigger"]) == ("7", "wishlist")
        answer = await service.client.put("/v1/catalog", json=document)
        here = "messages.hint.templates.push"
        refused = {"defaults.time_zone", f"{here}.en.body", f"{here}.en.cta", f"{here}.en.data", f"{here}.pt_BR"}
        assert {error["field"] for error in answer.json()["errors"]} == refused
