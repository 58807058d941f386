"""Stories run on the replica that the tests of the service start."""

from __future__ import annotations

from tests.decision_service.conftest import _no_replica_stays, replica

__all__ = ["_no_replica_stays", "replica"]
