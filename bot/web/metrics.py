"""The bot's numbers for Prometheus, in a registry of its own.

Labels are a service's name, or words from a closed list: never a tag, a branch, a commit's text or anything else that
grows without end.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from bot.domain.decision import State
from bot.engine.acting import NOT_DONE
from bot.engine.sweep import ServiceReport
from bot.ports import Cost
from bot.web.deliveries import NOTIFICATION_RESULTS, REGISTRY_RESULTS, Result

_NOT_JUDGED = "not judged"
_BUDGET_NAME = re.compile(r"liftlock_[a-z]+(?:_[a-z]+)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _LastSweep:
    ended: datetime
    seconds: float
    judged: Mapping[str, bool]
    states: Mapping[str, int]


class BotNumbers(Collector):
    """What the sweeps came to and what became of webhooks. Noted by any thread, collected by any other."""

    def __init__(self, cost: Callable[[], Cost]) -> None:
        self._cost = cost
        self._lock = threading.Lock()
        self._last: _LastSweep | None = None
        self._sweeps = Counter({"ended": 0, "failed": 0})
        self._seconds = 0.0
        self._deliveries: Counter[Result] = Counter()
        self._notifications: Counter[Result] = Counter()
        self._pushes: Counter[Result] = Counter()
        self._decided: Counter[str] = Counter()
        self._acted: Counter[tuple[str, str]] = Counter()

    @property
    def last_ended(self) -> datetime | None:
        """When the last sweep ended; None before the first has."""
        with self._lock:
            return self._last.ended if self._last is not None else None

    def note_delivery(self, result: Result) -> None:
        """Count a webhook delivery of GitHub's."""
        with self._lock:
            self._deliveries[result] += 1

    def note_notification(self, result: Result) -> None:
        """Count a notification of Alertmanager's."""
        with self._lock:
            self._notifications[result] += 1

    def note_push(self, result: Result) -> None:
        """Count a notification of a registry's."""
        with self._lock:
            self._pushes[result] += 1

    def note_failed_sweep(self) -> None:
        """Count a sweep that ended in an error."""
        with self._lock:
            self._sweeps["failed"] += 1

    def note_sweep(self, reports: Sequence[ServiceReport], ended: datetime, seconds: float) -> None:
        """Take in what a sweep came to; what the last one said of services is replaced."""
        last = _LastSweep(
            ended=ended,
            seconds=seconds,
            judged={report.subject: report.decision is not None for report in reports},
            states=_services_by_state(reports),
        )
        with self._lock:
            self._last = last
            self._sweeps["ended"] += 1
            self._seconds += seconds
            for report in reports:
                actions = report.decision.actions if report.decision is not None else ()
                self._decided.update(action.kind for action in actions)
                self._acted.update((action.kind, _outcome(sentence)) for action, sentence in report.outcomes)

    def collect(self) -> Iterable[Metric]:
        """Return all families as of one moment."""
        cost = self._cost()
        with self._lock:
            return [*self._of_sweeps(), *self._of_services(), *self._of_actions(), *_of_cost(cost)]

    def _of_sweeps(self) -> Iterator[Metric]:
        yield _counter("liftlock_sweeps", "Sweeps by how they ended.", "outcome", self._sweeps)
        yield SummaryMetricFamily(
            "liftlock_sweep_duration_seconds",
            "How long sweeps took that ended without an error.",
            count_value=self._sweeps["ended"],
            sum_value=self._seconds,
        )
        if self._last is not None:
            at, took = self._last.ended.timestamp(), self._last.seconds
            yield GaugeMetricFamily("liftlock_last_sweep_timestamp_seconds", "When the last sweep ended.", at)
            yield GaugeMetricFamily("liftlock_last_sweep_duration_seconds", "How long the last sweep took.", took)

    def _of_services(self) -> Iterator[Metric]:
        if self._last is None:
            return
        states = GaugeMetricFamily(
            "liftlock_services", "Services with a release in this state at the last sweep.", labels=["state"]
        )
        for state, count in self._last.states.items():
            states.add_metric([state], count)
        yield states
        judged = GaugeMetricFamily(
            "liftlock_service_judged", "Whether the last sweep could judge the service.", labels=["service"]
        )
        for service, is_judged in self._last.judged.items():
            judged.add_metric([service], is_judged)
        yield judged

    def _of_actions(self) -> Iterator[Metric]:
        decided = "Actions that sweeps decided on, waiting included."
        yield _counter("liftlock_decisions", decided, "kind", self._decided)
        acted = CounterMetricFamily("liftlock_actions", "Actions tried, by outcome.", labels=["kind", "outcome"])
        for (kind, outcome), count in self._acted.items():
            acted.add_metric([kind, outcome], count)
        yield acted
        deliveries = {str(result): self._deliveries[result] for result in Result}
        yield _counter("liftlock_webhook_deliveries", "Webhook deliveries by result.", "result", deliveries)
        notifications = {str(result): self._notifications[result] for result in NOTIFICATION_RESULTS}
        told = "Alertmanager's notifications by result."
        yield _counter("liftlock_alertmanager_notifications", told, "result", notifications)
        pushes = {str(result): self._pushes[result] for result in REGISTRY_RESULTS}
        yield _counter("liftlock_registry_notifications", "Registries' notifications by result.", "result", pushes)


class BudgetCollector(Collector):
    """Gauges that a callable reads at each look, such as `liftlock_github_requests_remaining`.

    What is left of GitHub's budget is known elsewhere; here it gets its names, which are words and no outside text.
    """

    def __init__(self, read: Callable[[], Mapping[str, float]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Return a gauge for each number. Raise ValueError for a name that is none of the bot's."""
        for name, value in self._read().items():
            if not _BUDGET_NAME.fullmatch(name):
                raise ValueError(f"no name for a number of the bot: {name!r}")
            yield GaugeMetricFamily(name, "What is left of a budget, or its size.", value)


def _services_by_state(reports: Sequence[ServiceReport]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for report in reports:
        judgements = report.decision.judgements if report.decision is not None else ()
        found.update({str(judgement.state) for judgement in judgements})
    words = {str(state): found[str(state)] for state in State}
    return {**words, _NOT_JUDGED: sum(report.decision is None for report in reports)}


def _outcome(sentence: str) -> str:
    return "not done" if sentence.startswith(NOT_DONE) else "done"


def _of_cost(cost: Cost) -> Iterator[Metric]:
    for name, count in (("queries", cost.queries), ("series", cost.series), ("points", cost.points)):
        yield CounterMetricFamily(f"liftlock_prometheus_{name}", f"Prometheus {name} that sweeps have cost.", count)


def _counter(name: str, text: str, label: str, counts: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for word, count in counts.items():
        family.add_metric([word], count)
    return family
