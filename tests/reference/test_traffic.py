"""Traffic during a fault: which answers break the rule for answers, and how long an outage was."""

from __future__ import annotations

import pytest

from tests.reference.traffic import PROBLEM, Answer, drop_early_refusals, find_broken, measure_outage


def _answer(path: str, status: int, media_type: str = "application/json", **more: str | float) -> Answer:
    fields = {"began": 0.0, "ended": 0.1} | more
    return Answer(path, status=status, media_type=media_type, **fields)  # type: ignore[arg-type]  # both kinds


ALLOWED = (
    _answer("/healthz", 200),
    _answer("/v1/decide", 200),
    _answer("/v1/decide", 404, PROBLEM),
    _answer("/v1/decide", 503, PROBLEM, retry_after="1"),
)
BROKEN = (
    _answer("/healthz", 503, PROBLEM, retry_after="1"),
    _answer("/healthz", 200, ended=1.5),
    _answer("/v1/decide", 404, "text/plain"),
    _answer("/v1/decide", 500, PROBLEM),
    _answer("/v1/decide", 503, PROBLEM),
    _answer("/v1/decide", 503, retry_after="1"),
    _answer("/v1/decide", 0, "", error="ConnectionRefusedError"),
    _answer("/v1/decide", 0, "", error="RemoteDisconnected"),
)


@pytest.mark.parametrize("answer", ALLOWED)
def test_an_answer_of_the_service_is_allowed(answer: Answer) -> None:
    assert find_broken([answer]) == ()


@pytest.mark.parametrize("answer", BROKEN)
def test_a_planted_answer_of_something_else_is_found(answer: Answer) -> None:
    assert len(find_broken([answer])) == 1


def test_only_a_request_under_way_may_be_cut() -> None:
    assert find_broken(BROKEN[-1:], cut_is_allowed=True) == ()
    assert len(find_broken(BROKEN[-2:], cut_is_allowed=True)) == 1


def test_a_connection_may_be_refused_until_the_first_is_accepted() -> None:
    early, first, late = (
        _answer("/healthz", 0, "", began=0.0, ended=0.1, error="ConnectionRefusedError"),
        _answer("/healthz", 200, began=0.2, ended=0.3),
        _answer("/healthz", 0, "", began=0.4, ended=0.5, error="ConnectionRefusedError"),
    )
    assert drop_early_refusals([early, first, late]) == [first, late]
    assert drop_early_refusals([early]) == []


def test_the_outage_is_the_longest_time_without_a_normal_answer() -> None:
    answers = [_answer("/v1/decide", 200, ended=at) for at in (1.0, 2.0, 6.5, 7.0)]
    failures = [_answer("/v1/decide", 503, PROBLEM, ended=4.0), _answer("/healthz", 200, ended=5.0)]
    assert measure_outage([*answers, *failures]) == 4.5
    assert measure_outage(answers, begin=0.0) == 4.5
    assert measure_outage([]) == 0.0
