"""The estimators and their registry.

A new estimator is one file in this folder, and its class in the three lists below. The command line, the exports of
`offline_eval` and the laws in `tests/offline_eval/estimators/` read the registry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator, Parameter
from offline_eval.estimators.dm import DM
from offline_eval.estimators.dr import DR
from offline_eval.estimators.dr_os import DROS
from offline_eval.estimators.ipw import IPW
from offline_eval.estimators.sndr import SNDR
from offline_eval.estimators.snipw import SNIPW
from offline_eval.estimators.switch_dr import SwitchDR

__all__ = [
    "DM",
    "DR",
    "DROS",
    "ESTIMATORS",
    "IPW",
    "SNDR",
    "SNIPW",
    "SwitchDR",
    "find_parameters",
    "make_estimators",
]

ESTIMATORS: Mapping[str, type[Estimator]] = MappingProxyType(
    {estimator.name: estimator for estimator in (IPW, SNIPW, DM, DR, SNDR, SwitchDR, DROS)}
)
"""Name → class, in the order in which results are listed."""


def make_estimators(names: Iterable[str] = tuple(ESTIMATORS), **parameters: float) -> list[Estimator]:
    """Make estimators by name.

    Parameters
    ----------
    parameters
        Values of the parameters in `find_parameters`, such as ``clip``. Every estimator takes those that it declares.

    Raises
    ------
    NotAvailable
        When no estimator has a name, or takes a parameter; or when a value is not allowed.

    Examples
    --------
    >>> make_estimators(["dr", "switch-dr"], tau=10)
    [DR(max_weight=inf), SwitchDR(tau=10)]
    """
    unknown = parameters.keys() - find_parameters().keys()
    if unknown:
        raise NotAvailable(f"no estimator takes {min(unknown)!r}; known are {', '.join(find_parameters())}")
    return [_make(name, parameters) for name in names]


def _make(name: str, parameters: Mapping[str, float]) -> Estimator:
    estimator = ESTIMATORS.get(name)
    if estimator is None:
        raise NotAvailable(f"there is no estimator {name!r}; known are {', '.join(ESTIMATORS)}")
    taken = [parameter for parameter in estimator.parameters if parameter.name in parameters]
    return estimator(**{parameter.argument_name: parameters[parameter.name] for parameter in taken})


def find_parameters() -> dict[str, tuple[Parameter, list[str]]]:
    """Return all parameters by name, each with the names of the estimators that take it.

    >>> parameter, estimators = find_parameters()["tau"]
    >>> parameter.default, estimators
    (5.0, ['switch-dr'])
    """
    by_name: dict[str, tuple[Parameter, list[str]]] = {}
    for name, estimator in ESTIMATORS.items():
        for parameter in estimator.parameters:
            by_name.setdefault(parameter.name, (parameter, []))[1].append(name)
    return by_name
