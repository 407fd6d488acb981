"""Evidence from counts: has a share of bad events passed its limit, and how high or low could the true share be?

Pure standard library. Counts are floats, since Prometheus' `increase()` extrapolates; shares and limits are shares of
1; nothing here knows of gates, time or units.
"""

from bot.domain.statistics.bounds import lower_bound, traffic_floor, upper_bound
from bot.domain.statistics.evidence import (
    ALTERNATIVES,
    CAUTION,
    deflated_e_value,
    dispersion,
    e_value,
    prefix_e_values,
    running_e_value,
)

__all__ = [
    "ALTERNATIVES",
    "CAUTION",
    "deflated_e_value",
    "dispersion",
    "e_value",
    "lower_bound",
    "prefix_e_values",
    "running_e_value",
    "traffic_floor",
    "upper_bound",
]
