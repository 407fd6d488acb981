"""An organisation's floor: a minimum, in a file of its own, that the policies of services may only tighten."""

from bot.policy.floor.calendars import with_calendars
from bot.policy.floor.file import FloorError, FloorFile
from bot.policy.floor.judging import ReadPolicy, faults_below
from bot.policy.floor.model import Floor
from bot.policy.floor.reading import parse_floor

__all__ = ["Floor", "FloorError", "FloorFile", "ReadPolicy", "faults_below", "parse_floor", "with_calendars"]
