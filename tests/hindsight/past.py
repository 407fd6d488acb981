"""Two months of a service that never were: its Git history, and what a Prometheus measured of it.

Forty releases of known fate came to staging and were moved on by hand, and ten of them were bad, each in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.adapters.backends import prometheus_on
from tests.adapters.gitserver import GitServer
from tests.adapters.remote_write import write_samples

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""When the measurements begin."""
DAYS = 60
END = BEGINNING + timedelta(days=DAYS)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
STAGING, PRODUCTION = "checkout-staging", "checkout-production"
FILES = {
    "staging": "apps/checkout/staging/kustomization.yaml",
    "production": "apps/checkout/production/values.yaml",
}
_BATCH = timedelta(days=10)
_APART = timedelta(hours=34)

POLICY = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
gitops: {repository: acme/deploy, branch: main}
stages:
  - name: staging
    edit: {kustomize: apps/checkout/staging/kustomization.yaml}
    argocd: checkout-staging
    metrics: {namespace: checkout-staging}
    window: {for: 30m, warmup: 5m, tile: 5m, deadline: 2h}
    gates:
      - {use: http-errors, limit: 2%}
      - {use: http-latency, slower_than: 500ms, limit: 10%}
  - name: production
    from: staging
    edit: {helm: {file: apps/checkout/production/values.yaml, tag: image.tag}}
    argocd: checkout-production
    metrics: {namespace: checkout-production}
    promote: {by: pull-request, merge: auto}
    rollback:
      watch: 2h
      tile: 5m
      triggers:
        - {use: http-errors, limit: 3%}
"""
NEW_POLICY = (
    POLICY.replace("limit: 2%}", "limit: 2%, accept: not-shown-bad}")
    .replace("limit: 10%}", "limit: 10%, accept: not-shown-bad}")
    .replace("watch: 2h", "watch: 8h")
    .replace("limit: 3%}", "limit: 3%}\n        - {use: http-latency, slower_than: 500ms, limit: 20%}")
)
"""Takes little traffic for good, and watches longer, and for slowness, too."""
SETTINGS = """\
[bot]
policies = "policies"
state = "state"
[github]
url = "{git}"
api = "http://127.0.0.1:9"
token_file = "token"
[argocd]
url = "{argocd}"
[prometheus]
url = "{prometheus}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """How a namespace behaved for a while, from so long after a release came; `per_minute` None: no metrics at all."""

    namespace: str
    begins: timedelta
    lasts: timedelta
    errors: float = 0.001
    slow: float = 0.01
    per_minute: float | None = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One release: when people moved it on, None for never; when and where they took it back, and how it behaved.

    `next_after` is when the next release comes to staging.
    """

    what: str
    is_bad: bool = False
    moved_on: timedelta | None = 45 * MINUTE
    undone_in: str = ""
    undone: timedelta | None = None
    spells: tuple[Spell, ...] = ()
    next_after: timedelta = _APART


def _in_staging(**how: float | None) -> Spell:
    return Spell(namespace=STAGING, begins=timedelta(0), lasts=5 * HOUR, **how)  # type: ignore[arg-type]


def _in_production(begins: timedelta, **how: float | None) -> Spell:
    return Spell(namespace=PRODUCTION, begins=begins, lasts=8 * HOUR, **how)  # type: ignore[arg-type]


GOOD = Past(what="good")
SPECIAL: Mapping[int, Past] = {
    3: Past(
        what="a tenth of its requests fails in staging, and people take it back there",
        is_bad=True,
        moved_on=None,
        undone_in="staging",
        undone=50 * MINUTE,
        spells=(_in_staging(errors=0.1),),
    ),
    6: Past(
        what="slow in staging, and taken back there",
        is_bad=True,
        moved_on=None,
        undone_in="staging",
        undone=55 * MINUTE,
        spells=(_in_staging(slow=0.4),),
    ),
    9: Past(
        what="fails in staging, moved on in a hurry, and taken out of production",
        is_bad=True,
        moved_on=10 * MINUTE,
        undone_in="production",
        undone=100 * MINUTE,
        spells=(_in_staging(errors=0.06), _in_production(10 * MINUTE, errors=0.06)),
    ),
    12: Past(
        what="fails in production only",
        is_bad=True,
        undone_in="production",
        undone=2 * HOUR,
        spells=(_in_production(45 * MINUTE, errors=0.2),),
    ),
    15: Past(
        what="fails in production after an hour",
        is_bad=True,
        undone_in="production",
        undone=4 * HOUR,
        spells=(_in_production(105 * MINUTE, errors=0.5),),
    ),
    18: Past(
        what="fails in production after five hours, when its watch is over",
        is_bad=True,
        undone_in="production",
        undone=7 * HOUR,
        spells=(_in_production(6 * HOUR, errors=0.3),),
    ),
    21: Past(
        what="slow in production, where no trigger looks at that; a fix comes after four hours",
        is_bad=True,
        spells=(_in_production(45 * MINUTE, slow=0.5),),
        next_after=4 * HOUR,
    ),
    24: Past(
        what="hardly any traffic in staging, and fails a little in production",
        is_bad=True,
        moved_on=3 * HOUR,
        undone_in="production",
        undone=8 * HOUR,
        spells=(_in_staging(per_minute=0.5), _in_production(3 * HOUR, errors=0.015)),
    ),
    27: Past(
        what="exposes no metrics in staging, and is taken back there",
        is_bad=True,
        moved_on=None,
        undone_in="staging",
        undone=3 * HOUR,
        spells=(_in_staging(per_minute=None),),
    ),
    30: Past(
        what="computes wrong prices, which no metric shows",
        is_bad=True,
        undone_in="production",
        undone=26 * HOUR,
    ),
    11: Past(what="a load test in staging makes errors", spells=(_in_staging(errors=0.05),)),
    20: Past(
        what="a failing neighbour makes errors in production",
        spells=(_in_production(60 * MINUTE, errors=0.08),),
    ),
    29: Past(what="hardly any traffic in staging", moved_on=5 * HOUR, spells=(_in_staging(per_minute=0.5),)),
    33: Past(what="replaced in staging after twenty minutes", moved_on=5 * MINUTE, next_after=20 * MINUTE),
    34: Past(what="good, but long in staging", moved_on=26 * HOUR, next_after=60 * HOUR),
}
COUNT = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit that sets one stage's tag."""

    at: datetime
    stage: str
    tag: str
    author: str
    message: str = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened: the commits, and when each release came to staging."""

    commits: tuple[Commit, ...]
    came: Mapping[str, datetime]
    spells: Sequence[tuple[datetime, Spell]] = field(default=())


def the_history() -> History:
    """Forty releases, and two from before anything was measured."""
    first = BEGINNING - timedelta(days=20)
    commits = [_sets(first, "staging", "0.9.0"), _sets(first, "production", "0.9.0")]
    for days, tag in ((5, "0.9.1"), (3, "0.9.2")):
        at = BEGINNING - timedelta(days=days)
        commits += [_sets(at, "staging", tag), _sets(at + HOUR, "production", tag)]
    came: dict[str, datetime] = {}
    spells: list[tuple[datetime, Spell]] = []
    stands = {"staging": "0.9.2", "production": "0.9.2"}
    at = BEGINNING + timedelta(days=1, minutes=7, seconds=13)
    for number in range(1, COUNT + 1):
        past, tag = SPECIAL.get(number, GOOD), f"1.{number}.0"
        came[tag] = at
        commits += _of(past, tag, at, stands)
        spells += [(at, spell) for spell in past.spells]
        at += past.next_after
    return History(commits=tuple(sorted(commits, key=lambda one: one.at)), came=came, spells=spells)


def _of(past: Past, tag: str, at: datetime, stands: dict[str, str]) -> Iterator[Commit]:
    before = dict(stands)
    yield _sets(at, "staging", tag)
    stands["staging"] = tag
    if past.moved_on is not None:
        yield _sets(at + past.moved_on, "production", tag, author="Dana Dev")
        stands["production"] = tag
    if past.undone is not None:
        back = before[past.undone_in]
        yield _sets(at + past.undone, past.undone_in, back, author="Olga Ops", message=f"Revert to {back}")
        stands[past.undone_in] = back


def _sets(at: datetime, stage: str, tag: str, *, author: str = "ci", message: str = "") -> Commit:
    return Commit(at=at, stage=stage, tag=tag, author=author, message=message or f"{stage}: {tag}")


# --- Git -------------------------------------------------------------------------------------------------------------


def text_of(stage: str, tag: str) -> str:
    """Return the file of a stage with a tag in it."""
    if stage == "staging":
        return f"images:\n  - name: ghcr.io/acme/checkout\n    newTag: {tag!r}\n"
    return f"image:\n  repository: ghcr.io/acme/checkout\n  tag: {tag!r}\n"


def commit_all(server: GitServer, commits: Sequence[Commit]) -> None:
    """Make the commits, with their dates, by one process."""
    pieces: list[bytes] = []
    for commit in commits:
        who = f"{commit.author} <someone@acme.test> {int(commit.at.timestamp())} +0000"
        pieces += [
            f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n".encode(),
            _data(commit.message),
            f"M 100644 inline {FILES[commit.stage]}\n".encode(),
            _data(text_of(commit.stage, commit.tag)),
        ]
    server.git("fast-import", "--quiet", stdin=b"".join(pieces))


def _data(text: str) -> bytes:
    body = text.encode()
    return b"data %d\n%s\n" % (len(body), body)


# --- Prometheus ------------------------------------------------------------------------------------------------------


@contextmanager
def measured(folder: Path, history: History, *, until: datetime = END) -> Iterator[str]:
    """Run a Prometheus that has measured both namespaces every minute; yield its address."""
    flags = (
        "--web.enable-remote-write-receiver",
        # All of it stays in memory: nothing has to be compacted while a test runs.
        "--storage.tsdb.min-block-duration=200d",
        "--storage.tsdb.max-block-duration=200d",
    )
    with prometheus_on(folder, folder / "data", *flags) as (url, _):
        for labels in _batches(history, until):
            write_samples(url, labels)
        yield url


_Series = list[tuple[Mapping[str, str], list[tuple[int, float]]]]
_USUAL = {
    STAGING: Spell(namespace=STAGING, begins=timedelta(0), lasts=timedelta(0)),
    PRODUCTION: Spell(namespace=PRODUCTION, begins=timedelta(0), lasts=timedelta(0), per_minute=300.0),
}


def _batches(history: History, until: datetime) -> Iterator[_Series]:
    counters = {namespace: [0.0, 0.0, 0.0] for namespace in _USUAL}
    start = BEGINNING
    while start < until:
        end = min(start + _BATCH, until)
        yield [one for namespace in _USUAL for one in _scraped(namespace, history, start, end, counters[namespace])]
        start = end


def _scraped(
    namespace: str, history: History, start: datetime, end: datetime, counters: list[float]
) -> Iterator[tuple[Mapping[str, str], list[tuple[int, float]]]]:
    good: list[tuple[int, float]] = []
    bad: list[tuple[int, float]] = []
    fast: list[tuple[int, float]] = []
    spells = [(came + one.begins, one) for came, one in history.spells if one.namespace == namespace]
    usual, at = _USUAL[namespace], start
    while at < end:
        here = next((one for begins, one in spells if begins <= at < begins + one.lasts), usual)
        at += MINUTE
        if here.per_minute is None:
            continue
        # A spell says how staging is used, unless it says otherwise production has its usual traffic.
        count = usual.per_minute if here.per_minute == usual.per_minute or namespace == PRODUCTION else here.per_minute
        assert count is not None
        counters[0] += count * (1 - here.errors)
        counters[1] += count * here.errors
        counters[2] += count * (1 - here.slow)
        moment = int(at.timestamp()) * 1000
        good.append((moment, counters[0]))
        bad.append((moment, counters[1]))
        fast.append((moment, counters[2]))
    requests = {"__name__": "http_requests_total", "namespace": namespace}
    durations = "http_request_duration_seconds"
    whole = [(moment, here + there) for (moment, here), (_, there) in zip(good, bad, strict=True)]
    yield {**requests, "code": "200"}, good
    yield {**requests, "code": "500"}, bad
    yield {"__name__": f"{durations}_bucket", "namespace": namespace, "le": "0.5"}, fast
    yield {"__name__": f"{durations}_count", "namespace": namespace}, whole
