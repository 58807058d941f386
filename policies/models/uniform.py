"""The uniform policy: all eligible joint actions are equally probable, HOLD included. It explores most."""

from __future__ import annotations

from policies.models.policy import Policy, PolicyFactory


def uniform_policy() -> Policy:
    """Return the uniform policy.

    >>> uniform_policy().record
    PolicyRecord(name='uniform', version=0, mode='frozen')
    """
    return Policy("uniform")


UNIFORM = PolicyFactory("uniform", "uniform choice", lambda rulebook: uniform_policy())
