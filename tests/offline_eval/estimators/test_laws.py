"""The laws of all estimators in the registry; a new estimator is tested without a change in this file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from offline_eval import (
    DM,
    DR,
    DROS,
    ESTIMATORS,
    IPW,
    SNDR,
    SNIPW,
    Difference,
    Estimator,
    Limits,
    LoggedBatch,
    NotAvailable,
    SwitchDR,
    Totals,
    cut_blocks,
    estimate_values,
    find_parameters,
    make_estimators,
)
from offline_eval.errors import NoData

DEFAULT = make_estimators()
"""One of each, with the default parameters."""
OTHER = [
    estimator for name, (_, names) in find_parameters().items() for estimator in make_estimators(names, **{name: 1.5})
]
"""Those with a parameter, with another value of it."""
EVERY: tuple[Estimator, ...] = (*DEFAULT, *OTHER, SwitchDR(tau=0.0), DROS(shrinkage=np.inf))
UNBIASED = (IPW(), SNIPW(), DR(), SNDR(), SwitchDR(tau=5.0), DROS(shrinkage=np.inf))
"""Those that do not change weights of 1."""

# Every law meets every estimator, so few examples each make many.
few = settings(max_examples=20, deadline=None)
every_estimator = pytest.mark.parametrize("estimator", EVERY, ids=repr)


@st.composite
def some_rows(draw: st.DrawFn, least: int = 1) -> LoggedBatch:
    count = draw(st.integers(least, 40))

    def column(low: float, high: float) -> np.ndarray:
        values = arrays.arrays(np.float64, count, elements=st.floats(low, high, allow_subnormal=False))
        return draw(values)

    return LoggedBatch.of(
        reward=column(-5, 5),
        propensity=column(0.01, 1),
        target_propensity=np.maximum(column(0, 1), 1e-3),
        q_chosen=column(-5, 5),
        v_target=column(-5, 5),
        shoppers=draw(arrays.arrays(np.int64, count, elements=st.integers(0, 5))),
    )


def value(estimator: Estimator, rows: LoggedBatch) -> float:
    return estimate_values([estimator], rows)[estimator.name]


@every_estimator
@few
@given(rows=some_rows(least=2), data=st.data())
def test_any_chunking_gives_the_same_answer(estimator: Estimator, rows: LoggedBatch, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    whole, head, tail = (Totals([estimator], "shoppers") for _ in range(3))
    whole.add(rows)
    head.add(rows.slice(0, cut))
    tail.add(rows.slice(cut, len(rows)))
    one, two = whole.sample(), (head + tail).sample()
    assert estimator.value(two.means) == pytest.approx(estimator.value(one.means), rel=1e-9, abs=1e-9)
    slopes = estimator.gradient(one.means)
    assert two.variance(slopes) == pytest.approx(one.variance(slopes), rel=1e-6, abs=1e-9, nan_ok=True)
    np.testing.assert_allclose(two.covariance, one.covariance, rtol=1e-6, atol=1e-6)


@every_estimator
@few
@given(rows=some_rows(), size=st.integers(1, 7))
def test_blocks_of_one_size_make_the_cut_of_the_source_not_matter_to_the_last_bit(
    estimator: Estimator, rows: LoggedBatch, size: int
) -> None:
    def total(source: list[LoggedBatch]) -> float:
        totals = Totals([estimator])
        for block in cut_blocks(source, size=5):
            totals.add(block)
        return estimator.value(totals.sample().means)

    cut = [rows.slice(begin, begin + size) for begin in range(0, len(rows), size)]
    assert total(cut) == total([rows])


@every_estimator
@few
@given(rows=some_rows(least=2), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(estimator: Estimator, rows: LoggedBatch, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(rows))
    columns = {name: getattr(rows, name)[order] for name in ("reward", "propensity", "target_propensity")}
    shuffled = replace(rows, **columns, q_chosen=rows.q_chosen[order], v_target=rows.v_target[order])
    assert value(estimator, shuffled) == pytest.approx(value(estimator, rows), rel=1e-9, abs=1e-9)


@every_estimator
@few
@given(rows=some_rows())
def test_rewards_that_are_all_negative_survive(estimator: Estimator, rows: LoggedBatch) -> None:
    """Turning every sign turns the value's sign: nothing starts from a maximum of 0."""
    turned = replace(rows, reward=-rows.reward, q_chosen=-rows.q_chosen, v_target=-rows.v_target)
    assert value(estimator, turned) == pytest.approx(-value(estimator, rows), rel=1e-9, abs=1e-9)


@every_estimator
@few
@given(rows=some_rows(), factor=st.floats(0.1, 10))
def test_the_unit_of_reward_does_not_matter(estimator: Estimator, rows: LoggedBatch, factor: float) -> None:
    scaled = replace(
        rows, reward=rows.reward * factor, q_chosen=rows.q_chosen * factor, v_target=rows.v_target * factor
    )
    assert value(estimator, scaled) == pytest.approx(factor * value(estimator, rows), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("estimator", UNBIASED, ids=repr)
@few
@given(rows=some_rows())
def test_the_logging_policy_as_target_gives_the_mean_reward(estimator: Estimator, rows: LoggedBatch) -> None:
    assert value(estimator, rows.as_logging()) == pytest.approx(rows.reward.mean(), rel=1e-9, abs=1e-9)


@every_estimator
@few
@given(rows=some_rows())
def test_a_policy_does_not_differ_from_itself(estimator: Estimator, rows: LoggedBatch) -> None:
    difference = Difference(estimator)
    assert value(difference, replace(rows, against=rows)) == pytest.approx(0.0, abs=1e-9)


@every_estimator
@few
@given(rows=some_rows(least=3))
def test_the_gradient_is_the_derivative_of_the_value(estimator: Estimator, rows: LoggedBatch) -> None:
    totals = Totals([estimator])
    totals.add(rows)
    means = dict(totals.sample().means)
    for name, slope in estimator.gradient(means).items():
        step = 1e-6 * max(1e-3, abs(means[name]))
        up, down = means | {name: means[name] + step}, means | {name: means[name] - step}
        numeric = (estimator.value(up) - estimator.value(down)) / (2 * step)
        assert numeric == pytest.approx(slope, rel=1e-3, abs=1e-3)


@every_estimator
@few
@given(rows=some_rows(least=3))
def test_the_mean_score_is_the_value(estimator: Estimator, rows: LoggedBatch) -> None:
    totals = Totals([estimator])
    totals.add(rows)
    means = totals.sample().means
    score = sum(factor * means[name] for name, factor in estimator.score_weights(means).items())
    assert score == pytest.approx(estimator.value(means), rel=1e-9, abs=1e-9)


@few
@given(rows=some_rows(), constant=st.floats(-3, 3))
def test_self_normalised_estimators_give_back_a_constant_reward(rows: LoggedBatch, constant: float) -> None:
    fixed = replace(rows, reward=np.full(len(rows), constant))
    assert value(SNIPW(), fixed) == pytest.approx(constant, rel=1e-9, abs=1e-9)
    known = replace(fixed, q_chosen=fixed.reward, v_target=fixed.reward)
    for estimator in DEFAULT:
        if estimator.needs_model:
            assert value(estimator, known) == pytest.approx(constant, rel=1e-9, abs=1e-9)


@few
@given(rows=some_rows())
def test_the_limits_of_switch_and_shrinkage_are_the_direct_method_and_dr(rows: LoggedBatch) -> None:
    for estimator in (SwitchDR(tau=0.0), DROS(shrinkage=0.0)):
        positive = replace(rows, target_propensity=np.maximum(rows.target_propensity, 0.01))
        assert value(estimator, positive) == pytest.approx(value(DM(), positive), abs=1e-9)
    for estimator in (SwitchDR(tau=np.inf), DROS(shrinkage=np.inf)):
        assert value(estimator, rows) == pytest.approx(value(DR(), rows), rel=1e-9, abs=1e-9)


@every_estimator
@few
@given(rows=some_rows())
def test_scores_stay_in_their_range(estimator: Estimator, rows: LoggedBatch) -> None:
    limits = Limits(-5.0, 5.0, max_weight=float(rows.weight.max()))
    if type(estimator).score_range is Estimator.score_range:
        with pytest.raises(NotAvailable, match="self-normalised"):
            estimator.score_range(limits)
        return
    low, high = estimator.score_range(limits)
    terms = estimator.terms(rows)
    scores = sum(factor * terms[name] for name, factor in estimator.score_weights({}).items())
    assert low - 1e-9 <= np.min(scores)
    assert np.max(scores) <= high + 1e-9


@every_estimator
def test_no_rows_give_no_value(estimator: Estimator) -> None:
    with pytest.raises(NoData):
        estimate_values([estimator], [])


def test_estimators_are_known_by_name() -> None:
    assert [estimator.name for estimator in DEFAULT] == list(ESTIMATORS)
    with pytest.raises(NotAvailable, match="known are ipw, snipw"):
        make_estimators(["ips"])
    for name, bad in (("switch-dr", {"tau": -1.0}), ("dr-os", {"shrinkage": -1.0}), ("ipw", {"clip": 0.0})):
        with pytest.raises(NotAvailable):
            make_estimators([name], **bad)


def test_parameters_reach_the_estimators_that_declare_them() -> None:
    assert make_estimators(["ipw", "snipw", "dr"], clip=3) == [IPW(max_weight=3), SNIPW(), DR(max_weight=3)]
    assert make_estimators(["switch-dr", "dr-os"], tau=2, shrinkage=7) == [SwitchDR(tau=2), DROS(shrinkage=7)]
    with pytest.raises(NotAvailable, match="no estimator takes 'sharpness'; known are clip"):
        make_estimators(["ipw"], sharpness=1)
    for estimator in DEFAULT:
        defaults = {parameter.argument_name: parameter.default for parameter in estimator.parameters}
        assert type(estimator)(**defaults) == estimator


@every_estimator
def test_another_model_changes_the_value_exactly_where_an_estimator_says_that_it_trusts_the_model(
    estimator: Estimator,
) -> None:
    """The log holds every joint action as often as its propensity says, so chance plays no part."""
    logged, wanted, reward = np.array([30, 1, 1]), np.array([0.2, 0.7, 0.1]), np.array([1.0, 3.0, -2.0])
    action = np.repeat(np.arange(3), logged)

    def value_with(model: np.ndarray) -> float:
        batch = LoggedBatch.of(
            reward=reward[action],
            propensity=(logged / logged.sum())[action],
            target_propensity=wanted[action],
            q_chosen=model[action],
            v_target=np.full(len(action), wanted @ model),
        )
        return value(estimator, batch)

    right, wrong = value_with(reward), value_with(np.array([2.0, -1.0, 0.5]))
    largest = float((wanted / (logged / logged.sum())).max())
    assert (wrong != pytest.approx(right)) == estimator.trusts_model(largest)


@every_estimator
def test_rows_without_a_model_are_refused_by_the_name_of_an_estimator_that_trusts_it(estimator: Estimator) -> None:
    rows = LoggedBatch.of(reward=[1.0, 0.0], propensity=[0.5, 0.5], target_propensity=[0.8, 0.2])
    if not estimator.trusts_model(np.inf):  # a model that predicts 0 does not bias these
        assert value(estimator, rows) == value(estimator, replace(rows, absent=()))
        return
    for asked in (estimator, Difference(estimator)):
        with pytest.raises(NotAvailable, match=f"{asked.name} needs a reward model, and the rows have no .*v_target"):
            value(asked, replace(rows, against=rows.as_logging()))
    with pytest.raises(NotAvailable, match=f"{estimator.name} needs a reward model"):
        value(estimator, next(cut_blocks([rows.slice(0, 1), rows.where(np.array([False, True]))])))


@pytest.mark.parametrize("estimator", DEFAULT, ids=repr)
@few
@given(rows=some_rows())
def test_an_estimator_that_needs_no_model_ignores_its_columns(estimator: Estimator, rows: LoggedBatch) -> None:
    other = replace(rows, q_chosen=rows.q_chosen + 1.3, v_target=rows.v_target - 2.1)
    if not estimator.needs_model:
        assert value(estimator, other) == value(estimator, rows)


def test_totals_of_other_estimators_do_not_merge() -> None:
    with pytest.raises(ValueError, match="do not merge"):
        Totals([IPW()]) + Totals([IPW(max_weight=2)])
