"""Scenarios: named, versioned descriptions of worlds, validated when they are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from simulators.scenarios.channels import CHANNELS
from simulators.scenarios.parameters import PARAMETERS, Parameters
from simulators.scenarios.report_rules import TRUE_REPORTS, ReportRules

CALENDAR_WEEKS = 104
"""Longest run, in weeks: two years."""

MONDAY = 1_767_571_200
"""2026-01-05T00:00:00Z, Monday 00:00: the default start of a calendar."""

_DAY_S = 86_400


@dataclass(frozen=True)
class Promo:
    """A promotion: days with more visits, more orders per visit and more clicks on offers.

    Attributes
    ----------
    first_day, days
        Number of the first day in the calendar, from 0, and number of days.
    presence
        Factor on the presence of shoppers: on their visits, and on how soon they see messages.
    orders
        Factor on the probability of an order: in a visit, and after a click on a message that is seen on these days.
    offer_logit
        Added to the click logit of messages of the category ``offer``.
    """

    first_day: int
    days: int
    presence: float = 1.5
    orders: float = 1.6
    offer_logit: float = 0.8

    def __post_init__(self) -> None:
        _require_at_least(self, 0, "first_day", "presence", "orders")
        _require_at_least(self, 1, "days")
        _require_finite(self, "offer_logit")


@dataclass(frozen=True)
class Outage:
    """Days on which a channel delivers nothing. Every send on it bounces."""

    channel: str
    first_day: int
    days: int

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise ValueError(f"channel must be one of {', '.join(CHANNELS)}, not {self.channel!r}")
        _require_at_least(self, 0, "first_day")
        _require_at_least(self, 1, "days")


@dataclass(frozen=True)
class Scenario:
    """How one world differs from the base, which `parameters` describes.

    Attributes
    ----------
    name, version
        Name and version of the scenario. Raise the version when a change of the code makes another world from the
        same seed.
    weeks
        Length of the calendar, 1 to 104: the world runs for so many weeks.
    start
        Epoch seconds of the first midnight of the calendar.
    visits_per_week
        Mean visits per week of a shopper who has not lapsed, without those that a message caused. The rates of
        shoppers are gamma distributed around this mean.
    tolerance, irritability
        Factors on the sends per week that shoppers tolerate, and on their probability of opting out.
    taste_flip_week
        The week after which every shopper likes the messages that they disliked before; None: never.
    weekly_shock
        Standard deviation, in click logits, of the random change that each message category has in each week.
    new_shoppers_per_week
        Shoppers who join each week, as a share of the shoppers at the start.
    report_lag_h
        Mean delay, in hours, of the reports of clicks and orders; 0: no delay.
    order_lag_factor
        Factor on the time between a click and its order.
    own_orders
        Whether shoppers also order without a message. A replay brings real orders instead.
    parameters
        The numbers of the world.
    reports
        Rules for the reports that the shop gets.

    Raises
    ------
    ValueError
        When a field has an impossible value; the message names the field.

    Examples
    --------
    >>> Scenario("mine", weeks=0)
    Traceback (most recent call last):
    ValueError: weeks must lie between 1 and 104, not 0
    """

    name: str
    version: int = 2
    weeks: int = 12
    start: int = MONDAY
    visits_per_week: float = 1.2
    tolerance: float = 1.0
    irritability: float = 1.0
    taste_flip_week: int | None = None
    weekly_shock: float = 0.0
    promos: tuple[Promo, ...] = ()
    outages: tuple[Outage, ...] = ()
    new_shoppers_per_week: float = 0.0
    report_lag_h: float = 0.0
    order_lag_factor: float = 1.0
    own_orders: bool = True
    parameters: Parameters = PARAMETERS
    reports: ReportRules = TRUE_REPORTS
    about: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.weeks, bool) or not 1 <= self.weeks <= CALENDAR_WEEKS or int(self.weeks) != self.weeks:
            raise ValueError(f"weeks must lie between 1 and {CALENDAR_WEEKS}, not {self.weeks}")
        if self.start < 0 or self.start % _DAY_S:
            raise ValueError(f"start must be a midnight in epoch seconds, not {self.start}")
        _require_at_least(
            self, 0, "visits_per_week", "weekly_shock", "new_shoppers_per_week", "report_lag_h", "order_lag_factor"
        )
        for name in ("tolerance", "irritability"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a number above 0, not {getattr(self, name)}")
        if self.taste_flip_week is not None and not 0 <= self.taste_flip_week <= self.weeks:
            raise ValueError(f"taste_flip_week must lie between 0 and weeks, {self.weeks}, not {self.taste_flip_week}")
        self._require_periods_within_calendar()

    def _require_periods_within_calendar(self) -> None:
        periods_by_kind: dict[str, tuple[Promo | Outage, ...]] = {"promos": self.promos, "outages": self.outages}
        for kind, periods in periods_by_kind.items():
            for number, period in enumerate(periods):
                if period.first_day + period.days > self.weeks * 7:
                    raise ValueError(f"{kind}.{number} must end within the calendar of {self.weeks} weeks")

    @property
    def hours(self) -> int:
        """Length of the calendar in hours, which is its number of ticks."""
        return self.weeks * 168

    @property
    def first_hour(self) -> int:
        """Hour of the week at which the calendar starts; 0 is Monday 00:00."""
        return (self.start - MONDAY) // 3_600 % 168

    @property
    def least_weeks(self) -> int:
        """The shortest calendar that holds all promotions, outages and the flip of tastes."""
        periods: tuple[Promo | Outage, ...] = (*self.promos, *self.outages)
        ends = (period.first_day + period.days for period in periods)
        return max(1, self.taste_flip_week or 0, *(-(-end // 7) for end in ends))

    def with_weeks(self, weeks: int) -> Scenario:
        """Return the same scenario with another length.

        Raises
        ------
        ValueError
            When a promotion, an outage or the flip of tastes does not fit into the new length.
        """
        if weeks in range(1, self.least_weeks):
            raise ValueError(f"weeks must be at least {self.least_weeks} for the scenario {self.name!r}, not {weeks}")
        return replace(self, weeks=weeks)


def _require_at_least(part: object, least: float, *names: str) -> None:
    for name in names:
        value = getattr(part, name)
        if not least <= value < math.inf:
            raise ValueError(f"{name} must be a number of at least {least}, not {value}")


def _require_finite(part: object, *names: str) -> None:
    for name in names:
        if not math.isfinite(getattr(part, name)):
            raise ValueError(f"{name} must be a finite number, not {getattr(part, name)}")


_ALL = (
    Scenario("stationary", about="Only the moods of the shoppers change. All other scenarios differ from this one."),
    Scenario(
        "fatigue",
        tolerance=0.4,
        irritability=2.0,
        about="Half of the shoppers tolerate only 2 sends a week, and opt-outs are twice as likely.",
    ),
    Scenario("drift", taste_flip_week=6, about="After week 6 everybody likes what they disliked."),
    Scenario(
        "seasonal_promo",
        weekly_shock=0.2,
        promos=(Promo(28, 4), Promo(63, 7)),
        about="Two promotions, four days in week 5 and all of week 10, and weekly changes in what shoppers like.",
    ),
    Scenario(
        "channel_outage",
        outages=(Outage("push", 35, 3), Outage("email", 52, 1)),
        about="Push fails for three days in week 6, e-mail for a day in week 8.",
    ),
    Scenario(
        "slow_feedback", report_lag_h=36.0, order_lag_factor=2.0, about="Clicks and orders are reported days late."
    ),
    Scenario("new_shoppers", new_shoppers_per_week=0.02, about="2 % new shoppers join each week."),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType({scenario.name: scenario for scenario in _ALL})
"""The named scenarios. `fatigue_small` is no scenario: it is a small world of its own, a table of states (see
`simulators.envs.fatigue_small`)."""


def find_scenario(name: str) -> Scenario:
    """Return the scenario of a name.

    Raises
    ------
    ValueError
        When no scenario has this name.
    """
    if name not in SCENARIOS:
        raise ValueError(f"scenario must be one of {', '.join(SCENARIOS)}, not {name!r}")
    return SCENARIOS[name]
