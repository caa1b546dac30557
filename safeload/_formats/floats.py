"""NaN and infinity, found at the speed of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def count_non_finite(values: NDArray[Any]) -> int:
    """Count NaN and infinity; a finite sum proves that there is none, at a fraction of the cost of asking each."""
    if np.isfinite(values.sum(dtype=np.promote_types(values.dtype, np.float32))):
        return 0
    return int(values.size - np.count_nonzero(np.isfinite(values)))
