"""The arms of an experiment: by a hash, each shopper belongs to one."""

from __future__ import annotations

TREATMENT = "treatment"
"""The arm of the policy."""
HOLDOUT = "holdout"
"""The arm that gets critical sends only; also the reason of its holds."""
