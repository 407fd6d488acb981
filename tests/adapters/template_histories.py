"""Half an hour of what kube-state-metrics, cAdvisor, Argo CD and brokers export, for the shipped templates.

The namespace `ill` has troubles from its tenth minute on, `well` has none. Both are there a second time, as the
namespace `shop` of the clusters `ill` and `well`, where pods have the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.adapters.backends import SCRAPE, START, samples

Course = Callable[[int], float | None]
"""What a series has at each scrape, from 0 on; there are four in a minute."""

PLACES = {
    'namespace="ill"': True,
    'namespace="well"': False,
    'cluster="ill",namespace="shop"': True,
    'cluster="well",namespace="shop"': False,
}


def a_template_history() -> str:
    """Return all metrics as OpenMetrics text."""
    lines: list[str] = []
    for name, make in METRICS.items():
        for place, is_ill in PLACES.items():
            found = {",".join(part for part in (place, more) if part): course for more, course in make(is_ill)}
            lines += samples(name, found)
    return "\n".join([*lines, "# EOF", ""])


def steady(value: float) -> Course:
    return lambda _: value


def steps(first: float | None, **changes: float | None) -> Course:
    """Return a value that changes at scrapes: `steps(0, at46=1)`; None where there is no sample."""
    at = {int(name[2:]): value for name, value in changes.items()}
    return lambda n: next((at[since] for since in sorted(at, reverse=True) if n >= since), first)


Rows = Iterator[tuple[str, Course]]


def _restarts(is_ill: bool) -> Rows:
    """Restarts at 11:30, 13:30 (of a pod born at 12:30), 14:45 (of one born at 14:15), 15:30 (for want of memory)."""
    yield 'pod="old",container="app"', steady(7)
    # Another kube-state-metrics answers from 11:30 on; the last one's series stay until they are stale.
    yield 'pod="moved",container="app",instance="ksm-1"', steps(5, at46=None)
    yield 'pod="moved",container="app",instance="ksm-2"', steps(None, at46=5)
    # Nobody measured for ten minutes.
    yield 'pod="unseen",container="app"', steps(4, at68=None, at108=4)
    # Nobody measured for longer than anybody looks back: an old pod with a counter that was never seen.
    yield 'pod="late",container="app"', steps(None, at62=9)
    if is_ill:
        yield 'pod="flaky",container="app"', steps(1, at46=2)
        yield 'pod="born",container="app"', steps(None, at50=0, at54=2)
        yield 'pod="sudden",container="app"', steps(None, at57=0, at59=2)
        yield 'pod="gone",container="app"', steps(4, at58=None)
        yield 'pod="full",container="app"', steps(3, at62=4)
    else:
        yield 'pod="full",container="app"', steps(3, at62=3)


def _reasons(is_ill: bool) -> Rows:
    yield 'pod="flaky",container="app",reason="Error"', steps(None, at46=1)
    if is_ill:
        yield 'pod="full",container="app",reason="OOMKilled"', steps(None, at62=1)
        # Of the other container in the same pod, which did not restart.
        yield 'pod="flaky",container="side",reason="OOMKilled"', steady(1)


def _created(_: bool) -> Rows:
    long_ago = dict.fromkeys(("old", "moved", "unseen", "late", "flaky", "full", "gone"), -9999)
    for pod, scrape in {**long_ago, "born": 50, "sudden": 57}.items():
        yield f'pod="{pod}"', steady((START + scrape * SCRAPE).timestamp())


def _pods(_: bool) -> Rows:
    yield 'pod="old"', steady(1)


def _waiting(is_ill: bool) -> Rows:
    if is_ill:
        yield 'pod="old",container="app",reason="CrashLoopBackOff",instance="ksm-1"', steps(None, at46=1, at51=None)
        yield 'pod="old",container="app",reason="CrashLoopBackOff",instance="ksm-2"', steps(None, at47=1, at51=None)
        yield 'pod="old",container="app",reason="ImagePullBackOff"', steady(1)


def _rollout(ill: Course, surge: float) -> Callable[[bool], Rows]:
    def rows(is_ill: bool) -> Rows:
        yield 'deployment="web"', ill if is_ill else steady(ill(0) or 0)
        yield 'deployment="surging"', steady(surge)

    return rows


def _working_set(is_ill: bool) -> Rows:
    yield 'pod="old",container="app",id="/1"', steps(500, at46=950, at47=500) if is_ill else steady(250)
    yield 'pod="old",container="unlimited",id="/2"', steady(9000)
    yield 'pod="old",container="",id="/"', steady(9500)


def _limits(_: bool) -> Rows:
    for instance in ("ksm-1", "ksm-2"):
        yield f'pod="old",container="app",resource="memory",instance="{instance}"', steady(1000)
        yield f'pod="old",container="app",resource="cpu",instance="{instance}"', steady(0.5)


def _counter(ill: int, well: int) -> Callable[[bool], Rows]:
    return lambda is_ill: iter([('container="app"', lambda n: n * (ill if is_ill else well))])


def _gauges(ill: Course) -> Callable[[bool], Rows]:
    return lambda is_ill: iter([('part="0"', ill if is_ill else steady(1)), ('part="1"', steady(2))])


def _alerts(is_ill: bool) -> Rows:
    yield 'alertname="Calm",alertstate="pending",severity="page"', steady(1)
    if is_ill:
        yield 'alertname="Errors",alertstate="firing",severity="page"', steps(None, at50=1)
        yield 'alertname="Slow",alertstate="firing"', steps(None, at54=1)


def _applications(is_ill: bool) -> Rows:
    app = 'name="checkout",sync_status'
    if is_ill:
        yield f'{app}="OutOfSync",health_status="Healthy"', steps(1, at46=None)
        yield f'{app}="OutOfSync",health_status="Degraded"', steps(None, at46=1, at47=None)
        yield f'{app}="Synced",health_status="Missing"', steps(None, at47=1, at51=None)
        yield f'{app}="Synced",health_status="Healthy"', steps(None, at51=1)
    else:
        yield f'{app}="Synced",health_status="Healthy"', steady(1)


METRICS: Mapping[str, Callable[[bool], Rows]] = {
    "kube_pod_container_status_restarts_total": _restarts,
    "kube_pod_container_status_last_terminated_reason": _reasons,
    "kube_pod_created": _created,
    "kube_pod_info": _pods,
    "kube_pod_container_status_waiting_reason": _waiting,
    "kube_deployment_spec_replicas": _rollout(steady(3), 3),
    "kube_deployment_status_replicas_updated": _rollout(steps(3, at47=1, at49=3), 4),
    "kube_deployment_status_replicas_available": _rollout(steps(3, at51=2, at54=3), 5),
    "kube_deployment_metadata_generation": _rollout(steps(5, at55=6), 1),
    "kube_deployment_status_observed_generation": _rollout(steps(5, at58=6), 1),
    "container_memory_working_set_bytes": _working_set,
    "kube_pod_container_resource_limits": _limits,
    "container_cpu_cfs_throttled_periods_total": _counter(3, 0),
    "container_cpu_cfs_periods_total": _counter(15, 15),
    "kafka_consumergroup_lag": _gauges(steps(0, at48=100)),
    "rabbitmq_queue_messages_ready": _gauges(steps(0, at48=7)),
    "oldest_message_seconds": _gauges(steps(0, at48=90)),
    "ALERTS": _alerts,
    "up": lambda _: iter([('job="app"', steady(1))]),
    "argocd_app_info": _applications,
}
