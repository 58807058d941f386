"""Features that would share a weight: a model could not learn them apart."""

from __future__ import annotations

from policies.catalogue.action_space import ActionSpace
from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import Mistake
from policies.models.compiled import collisions
from policies.models.vw import BITS


def find_collisions(catalogue: Catalogue) -> list[Mistake]:
    """Return the mistake of a catalogue with two features that share an index among the weights of a model."""
    colliding = collisions(ActionSpace.of(catalogue), shared=[], bits=BITS)
    problem = f"{colliding} crossed features would share a weight: rename a message"
    return [Mistake("messages", problem)] if colliding else []
