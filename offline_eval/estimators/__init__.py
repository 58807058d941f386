"""The estimators by name."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from offline_eval.errors import NotAvailable
from offline_eval.estimators.base import Estimator
from offline_eval.estimators.dm import DM
from offline_eval.estimators.dr import DR
from offline_eval.estimators.dr_os import DROS
from offline_eval.estimators.ipw import IPW
from offline_eval.estimators.sndr import SNDR
from offline_eval.estimators.snipw import SNIPW
from offline_eval.estimators.switch_dr import SwitchDR

NAMES = ("ipw", "snipw", "dm", "dr", "sndr", "switch-dr", "dr-os")


def named(
    names: Iterable[str] = NAMES, *, tau: float = 5.0, shrinkage: float = 5.0, clip: float = np.inf
) -> list[Estimator]:
    """Make estimators by name.

    Parameters
    ----------
    tau
        Switch-DR keeps weights up to it.
    shrinkage
        λ of DRos.
    clip
        IPW and DR clip weights to it.

    Raises
    ------
    NotAvailable
        When there is none of a name.

    Examples
    --------
    >>> named(["dr", "switch-dr"], tau=10)
    [DR(max_weight=inf), SwitchDR(tau=10)]
    """
    known: dict[str, Estimator] = {
        estimator.name: estimator
        for estimator in (IPW(clip), SNIPW(), DM(), DR(clip), SNDR(), SwitchDR(tau), DROS(shrinkage))
    }
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise NotAvailable(f"there is no estimator {name!r}; known are {', '.join(NAMES)}")
    return [known[name] for name in wanted]
