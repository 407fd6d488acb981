"""Do policies fit the servers that they will be used with? Each is asked, and nothing is changed there.

Facts come from the adapters that the doctor reads them by, and are judged by its rules where it has some; here each is
put at the value of the policy that it concerns.
"""

from bot.live_check.asking import check_live
from bot.live_check.subject import Look

__all__ = ["Look", "check_live"]
