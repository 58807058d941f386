"""Preferences over HTTP: what a shopper withholds holds, whatever else is wrong, renamed or late."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from decision_service.commands.withdrawing_log import WithdrawingLog
from decision_service.log.base import LogUnavailable, NewRow
from decision_service.state.pending import Withdrawal
from policies.records.rows import PreferencesRow
from tests.conftest import RealRedis
from tests.decision_service.conftest import Replica, Start
from tests.factories import NOW, preferences_row, small_document

pytestmark = pytest.mark.anyio

PATH = "/v1/shoppers/s-1/preferences"
AT = "2026-11-21T17:00:{:02}Z"


async def put(service: Replica, second: int, **changes: Any) -> Any:
    answer = await service.client.put(PATH, json={"now": AT.format(second)} | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def get(service: Replica) -> Any:
    return (await service.client.get(PATH)).json()


def rename(document: dict[str, Any]) -> dict[str, Any]:
    """Return the small catalogue after email was renamed to letters and the category cart to basket."""
    channels, messages = dict(document["channels"]), {}
    channels["letters"] = channels.pop("email") | {"formerly": ["email"]}
    for name, message in document["messages"].items():
        templates = dict(message["templates"])
        templates["letters"] = templates.pop("email")
        category = "basket" if message["category"] == "cart" else message["category"]
        messages[name] = message | {"category": category, "templates": templates}
    categories = {"basket": {"formerly": ["cart"]}}
    return document | {"channels": channels, "messages": messages, "categories": categories}


async def test_what_get_gave_with_one_channel_switched_off_is_taken_after_a_rename(replica: Start) -> None:
    async with replica(small_document()) as service:
        await put(service, 0, muted_categories=["cart"], consent={"email": True}, locale="es")
        document = await get(service)
        assert document["stated"] == ["consent.email", "muted_categories", "locale"]
        assert (await service.client.put("/v1/catalog", json=rename(small_document()))).status_code == 200
        document["consent"]["push"] = False
        after = await put(service, 1, **document)
        assert after["consent"] == {"push": False, "letters": True}
        assert after["muted_categories"] == ["basket"]
        assert after["stated"] == ["consent.push", "consent.letters", "muted_categories", "locale"]


async def test_a_document_that_is_put_again_writes_nothing(replica: Start) -> None:
    async with replica(small_document()) as service:
        await put(service, 0, consent={"push": False}, quiet_hours=[{"from": "00:00", "to": "24:00", "days": ["sun"]}])
        rows = service.rows()
        document = await get(service)
        assert document["quiet_hours"] == {"from": "00:00", "to": "24:00", "days": ["sun"]}
        assert await put(service, 1, **document) == document
        assert service.rows() == rows
        # What was assumed stays assumed: the catalogue may still change it.
        no_email = small_document(defaults={"consent": {"push": True}})
        assert (await service.client.put("/v1/catalog", json=no_email)).status_code == 200
        assert (await get(service))["consent"] == {"push": False, "email": False}


async def test_choices_go_along_with_a_rename(replica: Start) -> None:
    async with replica(small_document()) as service:
        await put(service, 0, consent={"email": False}, muted_categories=["cart"])
        await service.client.put("/v1/catalog", json=rename(small_document()))
        answer = await service.decide(now=AT.format(1), dry_run=True)
        assert {"channel": "letters", "reason": "no_consent", "count": 4} in answer["excluded"]
        assert {entry["reason"] for entry in answer["excluded"] if entry["channel"] == "push"} == {"preference"}
        assert (await put(service, 2, consent={"letters": True}, muted_categories=[]))["consent"]["letters"]
        answer = await service.decide(now=AT.format(3), dry_run=True)
        assert answer["excluded"] == []


async def test_an_opt_out_by_the_old_name_withdraws_the_new_one_and_voids_its_sends(replica: Start) -> None:
    async with replica(small_document(), policy="rule") as service:
        only_email = {"exclude": [{"channel": "push"}]}
        assert (await service.decide(event_id="old", now=AT.format(0), **only_email))["decision"] == "send"
        await service.client.put("/v1/catalog", json=rename(small_document(delays_s=[3600])))
        ahead = await service.decide(event_id="new", now=AT.format(1), **only_email)
        assert ahead["action"]["channel"] == "letters"
        await service.post("/v1/feedback", {"event_id": "old", "type": "opt_out", "now": AT.format(2)})
        assert (await get(service))["consent"] == {"push": True, "letters": False}
        assert (await service.client.get("/v1/decisions/new")).json()["status"] == "voided"


async def test_a_stated_path_with_an_old_name_is_the_shopper_s_word(replica: Start) -> None:
    async with replica(small_document(defaults={"consent": {"push": True}})) as service:
        renamed = rename(small_document(defaults={"consent": {"push": True}}))
        assert (await service.client.put("/v1/catalog", json=renamed)).status_code == 200
        words = {"consent": {"email": False}, "reachable": {"email": True}}
        after = await put(service, 0, **words, stated=["consent.email", "reachable.email"])
        assert after["stated"] == ["consent.letters", "reachable.letters"]


async def test_money_spent_under_a_former_name_counts(replica: Start) -> None:
    document = small_document()
    document["channels"]["email"] |= {"cost": 0.4, "daily_budget": 1.0}
    async with replica(document, policy="rule") as service:
        only_email = {"exclude": [{"channel": "push"}]}
        for number in range(2):
            await service.decide(event_id=f"old-{number}", shopper_id=f"s-{number}", now=AT.format(0), **only_email)
        await service.client.put("/v1/catalog", json=rename(document))
        held = await service.decide(event_id="new", shopper_id="s-9", now=AT.format(1), **only_email)
        assert {entry["reason"] for entry in held["excluded"] if entry["channel"] == "letters"} == {"budget"}


async def test_who_is_not_subscribed_gets_nothing_not_even_on_a_channel_added_later(replica: Start) -> None:
    async with replica(small_document()) as service:
        document = await put(service, 0, subscribed=False, consent={"push": True})
        assert (document["subscribed"], document["consent"]["push"]) == (False, True)
        larger = small_document()
        larger["channels"]["sms"] = {"attribution_window_s": 3_600}
        larger["messages"]["hint"]["templates"] |= {"sms": {"en": {"body": "B"}}}
        larger["triggers"]["cart_abandoned"] |= {"critical": True}
        await service.client.put("/v1/catalog", json=larger)
        answer = await service.decide(now=AT.format(1))
        assert {entry["reason"] for entry in answer["excluded"]} == {"no_consent"}
        assert (await put(service, 2, subscribed=True, consent={"email": False}))["consent"]["email"] is False
        answer = await service.decide(event_id="e-2", now=AT.format(3), dry_run=True)
        assert {entry["channel"] for entry in answer["excluded"] if entry["reason"] == "no_consent"} == {"email"}


async def test_the_end_of_the_subscription_voids_the_sends_ahead(replica: Start) -> None:
    async with replica(small_document(delays_s=[3600])) as service:
        assert (await service.decide(now=AT.format(0)))["decision"] == "send"
        await put(service, 1, subscribed=False)
        gate = await service.post("/v1/decisions/e-1/activate", {"now": AT.format(2)})
        assert (gate.json()["deliver"], gate.json()["reason"]) == (False, "no_consent")


async def test_a_late_or_repeated_grant_undoes_no_later_withdrawal(replica: Start) -> None:
    async with replica(small_document()) as service:
        await put(service, 30, consent={"push": False}, reachable={"push": False}, subscribed=False)
        await put(service, 40, muted_categories=["cart"], at=AT.format(30))
        for at in (AT.format(10), AT.format(30)):
            late = {"consent": {"push": True}, "reachable": {"push": None}, "subscribed": None, "muted_categories": []}
            after = await put(service, 50, at=at, **late)
            assert (after["consent"]["push"], after["reachable"]["push"], after["subscribed"]) == (False, False, False)
            assert after["muted_categories"] == ["cart"]
        # What withholds acts whatever its date, and a date ahead is the arrival.
        assert (await put(service, 51, at=AT.format(0), consent={"email": False}))["consent"]["email"] is False
        assert (await put(service, 52, at="2027-01-01T00:00:00Z", consent={"email": False}))["consent"][
            "email"
        ] is False
        after = await put(service, 53, consent={"push": True, "email": True}, subscribed=True, muted_categories=None)
        assert (after["consent"], after["subscribed"]) == ({"push": True, "email": True}, True)
        assert after["muted_categories"] == []


async def test_null_goes_back_to_the_default(replica: Start) -> None:
    async with replica(small_document(defaults={"consent": {"push": True}})) as service:
        await put(service, 0, consent={"push": False, "email": True}, reachable={"email": False}, subscribed=False)
        after = await put(service, 1, consent={"push": None, "email": None}, reachable={"email": None}, subscribed=None)
        assert (after["consent"], after["stated"]) == ({"push": True, "email": False}, [])
        await put(service, 2, consent={"push": False, "email": True}, reachable={"email": False}, locale="es")
        assert (await put(service, 3, consent=None, reachable=None, locale=None))["stated"] == []


@pytest.mark.parametrize(
    "mistake",
    [
        {"time_zone": "localtime"},
        {"time_zone": 3},
        {"loyalty": True},
        {"max_per_week": -1},
        {"quiet_hours": {"from": "22:00", "to": "22:00"}},
        {"consent": {"push": False, "email": "no", "pusch": False}},
        {"now": "yesterday"},
        {"stated": 3},
        {"at": "soon"},
    ],
    ids=lambda mistake: next(iter(mistake)) if isinstance(mistake, dict) else "",
)
async def test_a_refused_change_still_takes_what_it_withholds(replica: Start, mistake: dict[str, Any]) -> None:
    async with replica(small_document()) as service:
        await put(service, 0, muted_categories=["browse"], consent={"email": False})
        withholding = {
            "consent": {"push": False, "email": True},
            "reachable": {"push": False},
            "subscribed": False,
            "muted_categories": ["cart"],
            "max_per_week": 2,
        }
        answer = await service.client.put(PATH, json=withholding | {"now": AT.format(1)} | mistake)
        problem = answer.json()
        assert (answer.status_code, bool(problem["errors"])) == (422, True)
        assert sorted(problem["applied"]) == [
            *("consent.push", "muted_categories.cart", "reachable.push", "subscribed"),
        ]
        after = await get(service)
        assert after["consent"] == {"push": False, "email": False}
        assert (after["reachable"]["push"], after["subscribed"], after["max_per_week"]) == (False, False, None)
        assert sorted(after["muted_categories"]) == ["browse", "cart"]


@pytest.mark.parametrize(
    "lists",
    [
        {"muted_categories": [*(f"c-{number}" for number in range(1_000)), "cart"]},
        {"muted_categories": ["cart"] * 1_001},
        {"muted_categories": ["cart"], "stated": [f"consent.c-{number}" for number in range(3_001)]},
        {"muted_categories": ["cart"], "stated": ["consent.push"] * 3_001, "at": "2026-11-21T16:00:00Z"},
    ],
    ids=["names", "repeats", "stated", "repeated stated"],
)
async def test_a_list_that_is_too_long_loses_no_withdrawal(replica: Start, lists: dict[str, Any]) -> None:
    async with replica(small_document()) as service:
        answer = await service.client.put(PATH, json={"consent": {"push": False}, "now": AT.format(1)} | lists)
        assert (answer.status_code, answer.json()["applied"]) == (422, ["consent.push", "muted_categories.cart"])
        after = await get(service)
        assert (after["consent"]["push"], after["muted_categories"]) == (False, ["cart"])


@pytest.mark.parametrize(
    ("mistake", "status"),
    [
        (rb'"locale": "\ud83d"', 422),
        (b'"max_per_week": NaN', 422),
        (b'"locale": "caf\xe9"', 400),
        (b'"max_per_week": ' + b"1" * 5_000, 400),
        (b'"quiet_hours": ' + b"[" * 300 + b"]" * 300, 400),
        (b'"muted_categories": ["cart", "\xe9"]', 400),
    ],
    ids=["half a character", "NaN", "Latin-1", "digits", "nesting", "in a list"],
)
async def test_a_mistake_in_the_bytes_of_a_change_loses_no_withdrawal(
    replica: Start, mistake: bytes, status: int
) -> None:
    async with replica(small_document()) as service:
        body = b'{"consent": {"push": false}, "subscribed": false, ' + mistake + b"}"
        answer = await service.client.put(PATH, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
        assert {"consent.push", "subscribed"} <= {*answer.json()["applied"]}
        after = await get(service)
        assert (after["consent"]["push"], after["subscribed"]) == (False, False)


async def test_a_refused_change_that_withholds_nothing_says_so(replica: Start) -> None:
    async with replica(small_document()) as service:
        rows = service.rows()
        answer = await service.client.put(PATH, json={"consent": {"fax": True}, "max_per_week": 3})
        assert answer.json()["applied"] == []
        assert service.rows() == rows


async def test_a_name_of_the_past_may_be_withheld_and_one_that_never_was_is_refused(replica: Start) -> None:
    async with replica(small_document()) as service:
        smaller = small_document()
        del smaller["channels"]["email"]
        for message in smaller["messages"].values():
            message["category"] = "browse"
            message["templates"] = {"push": message["templates"]["push"]}
        await service.client.put("/v1/catalog", json=smaller)
        await put(service, 0, consent={"email": False}, muted_categories=["cart"])
        refused = await service.client.put(PATH, json={"consent": {"email": True}})
        assert refused.json()["errors"][0]["field"] == "consent.email"
        refused = await service.client.put(PATH, json={"consent": {"fax": False, "push": False}})
        assert (refused.json()["errors"][0]["field"], refused.json()["applied"]) == ("consent.fax", ["consent.push"])
        assert (await service.client.put("/v1/catalog", json=small_document())).status_code == 200
        after = await get(service)
        assert (after["consent"]["email"], after["muted_categories"]) == (False, ["cart"])


async def test_a_withdrawal_between_reading_and_writing_is_not_lost(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document rests on what was read: if preferences changed meanwhile, it is compared again."""
    async with replica(small_document()) as service:
        await put(service, 0, muted_categories=["cart"])
        document = await get(service)
        document["muted_categories"] = ["cart", "browse"]
        document["stated"] = []
        append_all = WithdrawingLog.append_all

        async def log_after_another(withdrawing_log: WithdrawingLog, *arguments: Any) -> Any:
            monkeypatch.setattr(WithdrawingLog, "append_all", append_all)
            await put(service, 1, consent={"push": False})
            return await append_all(withdrawing_log, *arguments)

        monkeypatch.setattr(WithdrawingLog, "append_all", log_after_another)
        after = await put(service, 2, **document)
        assert (after["consent"]["push"], after["muted_categories"]) == (True, ["cart", "browse"])
        assert service.service.log.find_last(PreferencesRow.kind) is not None


async def test_a_change_that_the_state_store_cannot_answer_withholds_all_the_same(
    replica: Start, redis: RealRedis
) -> None:
    async with replica(small_document()) as service:
        document = await get(service)
        document["consent"] |= {"push": False}
        redis.kill()
        answer = await service.client.put(PATH, json=document | {"locale": "es", "now": AT.format(1)})
        assert answer.status_code == 503
        redis.start()
        await service.wait_until_ready()
        after = await get(service)
        assert (after["consent"], after["locale"]) == ({"push": False, "email": True}, "en")


async def test_many_changes_at_once_leave_every_withdrawal(replica: Start) -> None:
    async with replica(small_document()) as service:
        document = await get(service)
        off = [{"consent": {channel: False}} for channel in ("push", "email")]
        mutes = [document | {"muted_categories": [name]} for name in ("cart", "browse")]
        grants: list[dict[str, Any]] = [{"consent": {"push": True, "email": None}, "at": AT.format(0)}] * 3
        await asyncio.gather(*(put(service, 1, **change) for change in [*grants, *off, *mutes, *grants]))
        assert (await get(service))["consent"] == {"push": False, "email": False}


WITHHELD: list[tuple[str, dict[str, Any]]] = [
    ("consent.push", {"consent": {"push": False}}),
    ("reachable.push", {"reachable": {"push": False}}),
    ("subscribed", {"subscribed": False}),
    ("muted_categories.cart", {"muted_categories": ["cart"]}),
]


@pytest.mark.parametrize(("path", "words"), WITHHELD, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_withdrawal_that_only_the_state_has_is_logged_when_it_is_put_again(
    replica: Start, path: str, words: dict[str, Any]
) -> None:
    """A replica that died, or whose log failed, has withheld in the state what the log lacks."""
    async with replica(small_document()) as service:
        key, head = service.service.shopper_keys.key("s-1"), service.rows()
        await service.service.store.withdraw([Withdrawal.of(key, path, head)])
        rows = service.rows()
        document = await get(service)
        await put(service, 1, **words, stated=[path])
        assert service.rows() == rows + 1
        assert await put(service, 2, **document) == document
        assert service.rows() == rows + 1, "what the log has is not written again"


async def test_a_refused_change_logs_a_withdrawal_that_only_the_state_has(replica: Start) -> None:
    async with replica(small_document()) as service:
        key, head = service.service.shopper_keys.key("s-1"), service.rows()
        await service.service.store.withdraw([Withdrawal.of(key, path, head) for path, _ in WITHHELD])
        document = await get(service)
        refused = await service.client.put(PATH, json=document | {"now": AT.format(1), "max_per_week": -1})
        assert sorted(refused.json()["applied"]) == sorted(path for path, _ in WITHHELD)
        row = service.service.log.find_by_shopper("s-1", 1)[0].row
        assert isinstance(row, PreferencesRow)
        assert (row.consent, row.reachable, row.muted_categories) == ({"push": False}, {"push": False}, ("cart",))


async def test_older_rows_that_withhold_the_same_do_not_end_a_withdrawal_whose_row_is_uncertain(
    replica: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(rows: Any) -> Any:
        raise LogUnavailable("the disk is away")

    async with replica(small_document()) as service:
        log = service.service.log
        for second, word in ((1, False), (2, True)):  # by a replica that died before the state had the rows
            log.append([NewRow(preferences_row(at=NOW + second, shopper_id="s-1", consent={"push": word}))])
        with monkeypatch.context() as patch:
            patch.setattr(log, "append", fail)
            answer = await service.client.put(PATH, json={"now": AT.format(3), "consent": {"push": False}})
        assert answer.status_code == 503
        await service.service.log_writer.wait_until_contained(service.rows())
        assert (await get(service))["consent"]["push"] is False


async def test_a_withdrawal_is_compared_with_the_whole_log_not_with_a_state_that_lags(replica: Start) -> None:
    async with replica(small_document()) as service:
        await put(service, 0, consent={"push": False})
        grant = preferences_row(at=NOW + 1, shopper_id="s-1", consent={"push": True})
        service.service.log.append([NewRow(grant)])  # by a replica that died before the state had the row
        await put(service, 2, consent={"push": False}, stated=["consent.push"])
        await service.service.log_writer.wait_until_contained(service.rows())
        assert (await get(service))["consent"]["push"] is False
