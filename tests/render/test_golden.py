"""Every text that people read, as golden files in `fixtures/golden`; LIFTLOCK_WRITE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from bot.domain.decide import decide
from bot.domain.decision import Judgement, State
from bot.domain.model import Release, Samples, Trouble
from bot.domain.observation import Observation
from bot.domain.policy import EvidenceIn, Origin, Policy
from bot.forge import Span
from bot.render.broken import BrokenFile, broken_comment
from bot.render.commits import promotion_commit, revert_commit
from bot.render.markdown import (
    attention_comment,
    closing_comment,
    evidence_comment,
    promotion_body,
    promotion_title,
    revert_body,
    revert_title,
    superseded_comment,
)
from bot.render.signals import Arrived, check_text, deployment_text, source_comment, status_text
from bot.render.terminal import decision_lines, status_table
from tests.builders import IMAGE, MINUTE, NEW, NOON, OLD, an_observation, new_production, proven_staging, samples, sha
from tests.render.views import (
    BAD as BAD_JUDGEMENT,
)
from tests.render.views import (
    COMMITS,
    NOW,
    POLICY,
    REPLACES,
    STATES,
    a_comment,
    a_move,
    a_revert,
    a_stage,
    moved,
)

GOLDEN = Path(__file__).parents[2] / "fixtures" / "golden"
BAD = samples((20.0, 100.0), (20.0, 100.0), start=NOON + MINUTE)


def judged(stage: str, role: str, seen: Observation | None = None, *, policy: Policy = POLICY) -> Judgement:
    observation = seen or an_observation()
    decision = decide(policy, observation, observation.at)
    return next(item for item in decision.judgements if (item.stage, item.role) == (stage, role))


def in_production(sampled: Samples | Trouble) -> Judgement:
    production = new_production(sampled={"trigger:http-errors": sampled})
    return judged("production", "running", an_observation(production=production, at=NOON + 10 * MINUTE))


HOSTILE = Trouble(system="Prometheus", sentence="@all <b>see</b> [x](http://evil.example) | `#1` " + "c" * 40)
STRANGE = replace(proven_staging(), samples={"gate:http-errors": HOSTILE})
ORIGIN = Origin(repository="acme/policies", commit=sha("policies"))
BROKEN = (
    BrokenFile(
        file="checkout.yaml",
        faults=(
            "checkout.yaml:12:9: stages[0].gates[1].limt: found an unknown key, expected limit or no-traffic",
            "checkout.yaml:14:3: found <b>@dana</b> [x](http://evil.example) | #1, expected a duration such as 30s, 5m",
        ),
        service="checkout",
        kept_at=ORIGIN,
    ),
    BrokenFile(file="gates/`odd`.yaml", faults=("gates/`odd`.yaml: found more than 1 MiB, expected a file",)),
)
REVERT = a_revert(judgement=in_production(BAD))
JUDGED = a_move(judgement=judged("staging", "running"))


def table() -> str:
    out = io.StringIO()
    Console(width=140, file=out).print(status_table([decide(POLICY, an_observation(), an_observation().at)]))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def body_of(state: str) -> str:
    move = moved(STATES[state]())
    return f"{promotion_title(move)}\n\n{promotion_body(move)}"


def comment_of(state: str) -> str:
    return evidence_comment(STATES[state]())


def all_attention() -> str:
    calls = {name: attention_comment(make()) for name, make in STATES.items()}
    return "\n\n".join(f"{name}: {call}" for name, call in calls.items() if call)


def signals() -> str:
    lines = []
    for name, make in STATES.items():
        view = make()
        check = check_text(view, NOON)
        lines.append(f"{name}: {check.name} {check.state}: {check.title}")
        for judgement in (view.source, view.candidate, view.running):
            if judgement is not None:
                status = status_text(view.policy, judgement, NOW)
                lines.append(f"  {status.context} {status.state}: {status.description}")
                deployed = deployment_text(view.policy, judgement, NOW)
                lines += [f"  {deployed.environment} {deployed.state}: {deployed.description}"] if deployed else []
        told = source_comment(view, Arrived(number=7, at=NOON if view.running else None))
        lines += [f"  {told}"] if told else []
    return "\n".join(lines)


TEXTS: Mapping[str, Callable[[], str]] = {
    **{f"body-{name}.md": partial(body_of, name) for name in STATES},
    **{f"comment-{name}.md": partial(comment_of, name) for name in STATES},
    "body-with-evidence.md": lambda: promotion_body(
        moved(
            replace(STATES["held"](), stage=a_stage(evidence=EvidenceIn.BODY)),
            changelog="## 1.9.0\n\n- Retry a declined card once\n- Round totals half to even, thanks @bob",
        )
    ),
    "body-rolled-back-with-evidence.md": lambda: promotion_body(
        moved(STATES["rolled-back"](), watched=replace(BAD_JUDGEMENT, stage="production"))
    ),
    "body-replaces-and-goes-back.md": lambda: promotion_body(
        moved(
            replace(STATES["ready"](), circumstances=replace(STATES["ready"]().circumstances, supersedes=REPLACES)),
            span=Span(commits=COMMITS, total=57, is_forward=False),
        )
    ),
    "body-at-its-opening.md": lambda: promotion_body(JUDGED),
    "body-without-registry.md": lambda: promotion_body(
        replace(JUDGED, release=Release(image=IMAGE, tag=NEW), replaces=Release(image=IMAGE, tag=OLD), span=None)
    ),
    "body-hostile.md": lambda: promotion_body(a_move(judgement=judged("staging", "running", an_observation(STRANGE)))),
    "comment-by-a-policy-of-a-repository.md": lambda: evidence_comment(
        replace(STATES["ready"](), policy=replace(POLICY, origin=ORIGIN))
    ),
    "commit-comment.md": lambda: broken_comment(BROKEN, "https://github.com"),
    "check-summary.md": lambda: check_text(STATES["unhealthy"](), NOON).summary,
    "signals.txt": signals,
    "attention.md": all_attention,
    "promotion-commit.txt": lambda: promotion_commit(JUDGED),
    "revert-commit.txt": lambda: revert_commit(REVERT),
    "revert.md": lambda: f"{revert_title(REVERT)}\n\n{revert_body(REVERT)}",
    "comment-closing.md": lambda: closing_comment("staging now runs 1.9.1; this pull request was for another release"),
    "comment-of-superseded.md": lambda: superseded_comment(13),
    "status.txt": table,
    "dry-run.txt": lambda: "\n".join(
        decision_lines(decide(POLICY, an_observation(), an_observation().at), dry_run=True)
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_as_it_was_reviewed(name: str) -> None:
    text = TEXTS[name]().rstrip("\n") + "\n"
    path = GOLDEN / name
    if os.environ.get("LIFTLOCK_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_of_a_text_that_is_gone() -> None:
    kinds = {"kinds.md", "kinds.txt"}
    assert {path.name for path in GOLDEN.iterdir()} == set(TEXTS) | kinds


def test_a_comment_does_not_change_with_the_time_of_the_look_alone() -> None:
    early, late = an_observation(), an_observation(at=an_observation().at + 20 * MINUTE)
    texts = {evidence_comment(a_comment(source=judged("staging", "running", seen))) for seen in (early, late)}
    assert len(texts) == 1


def test_no_tag_steers_a_title_or_a_commit_message() -> None:
    hostile = replace(JUDGED.replaces, tag="1.8\n\nLiftlock-Reverts: x\n[skip ci] @eve")
    subject = "Promote checkout to production: 1.8 Liftlock Reverts: x (removed) @ eve -> 1.9.0"
    assert promotion_commit(a_move(replaces=hostile)).split("\n")[0] == subject
    assert revert_commit(replace(REVERT, back_to=hostile)).split("\n")[0] == f'Revert "{subject}"'
    assert promotion_title(a_move(replaces=hostile)) == subject.replace(" -> ", " → ")


def test_every_state_of_a_candidate_has_a_screen_of_its_own_words() -> None:
    words = {evidence_comment(make()).split("**")[1] for make in STATES.values()}
    assert {"Not yet.", "Merges by itself.", "Held.", "Rejected.", "Superseded.", "Rolled back."} <= words
    assert State.OBSERVING.capitalize() not in words
