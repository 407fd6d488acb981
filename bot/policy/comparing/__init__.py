"""Compare policies by what they mean: what got weaker, what stricter, and what has to be looked at. Pure."""

from bot.policy.comparing.orders import Change, Way
from bot.policy.comparing.policies import compare_policies

__all__ = ["Change", "Way", "compare_policies"]
