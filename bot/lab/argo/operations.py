"""How an operation goes: the hooks and waves it waits for, and the attempts that fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SUCCEEDED = "successfully synced (all tasks run)"
AT_WORK = "one or more tasks are running"
BLOCKED = "Sync operation blocked by sync window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A stretch of an operation in which Argo CD waits. `applied`: the release is in the cluster by then."""

    message: str
    takes: timedelta
    applied: bool


def pre_sync_hook(resource: str, takes: timedelta) -> Wait:
    """Wait for a hook such as `batch/Job/migrate` that runs before anything is applied."""
    return Wait(message=f"waiting for completion of hook {resource}", takes=takes, applied=False)


def post_sync_hook(resource: str, takes: timedelta) -> Wait:
    """Wait for a hook that runs when everything is applied: the status may look finished meanwhile."""
    return Wait(message=f"waiting for completion of hook {resource}", takes=takes, applied=True)


def healthy_wave(resource: str, takes: timedelta) -> Wait:
    """Wait until a resource of a sync wave, such as `apps/Deployment/checkout`, is healthy."""
    return Wait(message=f"waiting for healthy state of {resource}", takes=takes, applied=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationScript:
    """How one operation goes. With nothing said it succeeds after the server's usual time.

    `failure` is the message of an attempt that fails; the first `failed_attempts` do, None means all of them. A failed
    attempt is followed by another while fewer than `retry_limit` were retried, `retry_after` later and twice as late
    each time. `health` is what a refresh finds while the operation runs.
    """

    waits: tuple[Wait, ...] = ()
    failure: str = ""
    failed_attempts: int | None = None
    retry_limit: int = 0
    retry_after: timedelta = timedelta(seconds=5)
    health: str = ""

    def fails(self, retries: int) -> bool:
        """Say whether the attempt after so many retries fails."""
        return bool(self.failure) and (self.failed_attempts is None or retries < self.failed_attempts)

    def next_attempt_at(self, failed_at: datetime, retries: int) -> datetime:
        """Return when the attempt after a failed one begins."""
        return failed_at + self.retry_after * (1 << retries)


PLAIN = OperationScript()


def retrying(failure: str, retries: int, again_at: datetime) -> str:
    """Say what Argo CD says between two attempts, `retries` counting the one to come."""
    clock = again_at.strftime("%I:%M%p").removeprefix("0")
    return f"{failure}. Retrying attempt #{retries} at {clock}."


def failed_for_good(failure: str, retries: int) -> str:
    """Say what Argo CD says when it does not try again."""
    return f"{failure} (retried {retries} times)." if retries else failure
