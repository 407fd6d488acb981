"""Is everything in place for the bot's work? Each system is looked at by itself, and what is wrong has a remedy.

Facts come from `adapters/examination` and `adapters/github/examination`; here they are judged. Nothing is changed.
"""

from bot.doctor.examine import Patient, examinations
from bot.doctor.findings import Check, Finding, Mark
from bot.doctor.hooks import Wanted
from bot.doctor.running import DEADLINE, run_checks

__all__ = ["DEADLINE", "Check", "Finding", "Mark", "Patient", "Wanted", "examinations", "run_checks"]
