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
from bot.domain.statistics.share import (
    EFFECT_POINTS,
    EFFECT_TIMES,
    exceeds_effect,
    prefix_share_e_values,
    running_share_e_value,
    tolerated_share,
)

__all__ = [
    "ALTERNATIVES",
    "CAUTION",
    "EFFECT_POINTS",
    "EFFECT_TIMES",
    "deflated_e_value",
    "dispersion",
    "e_value",
    "exceeds_effect",
    "lower_bound",
    "prefix_e_values",
    "prefix_share_e_values",
    "running_e_value",
    "running_share_e_value",
    "tolerated_share",
    "traffic_floor",
    "upper_bound",
]
