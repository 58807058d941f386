"""Names for the array types that the simulators share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Indices = NDArray[np.int64]
"""Numbers of shoppers, messages, channels or sends: positions in the columns of the world."""
