"""Every text that people read, as golden files in `fixtures/golden`; LIFTLOCK_WRITE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bot.domain.decide import decide
from bot.domain.decision import Judgement
from bot.domain.edit import Change
from bot.domain.model import Digest, Release, Samples, Sha, Trouble
from bot.domain.observation import Observation
from bot.domain.policy import Merge, Policy
from bot.domain.verdicts import CountEvidence
from bot.render.commits import promotion_commit, revert_commit
from bot.render.markdown import (
    closing_comment,
    evidence_comment,
    promotion_body,
    promotion_title,
    revert_body,
    revert_title,
)
from bot.render.terminal import decision_lines, status_table
from bot.render.views import CommentView, MoveView, RevertView
from tests.builders import (
    IMAGE,
    MINUTE,
    NEW,
    NOON,
    OLD,
    PROMOTION_COMMIT,
    REVERT_COMMIT,
    a_measured,
    a_policy,
    a_proposal,
    a_pull,
    an_observation,
    new_production,
    old_production,
    proven_staging,
    samples,
)

GOLDEN = Path(__file__).parents[2] / "fixtures" / "golden"
POLICY = a_policy()
STAGING, PRODUCTION = POLICY.stages
FORGE = "https://github.example"
BEFORE = Release(image=IMAGE, tag=OLD, digest=Digest(f"sha256:{'1' * 64}"), revision=Sha("a" * 40))
AFTER = Release(image=IMAGE, tag=NEW, digest=Digest(f"sha256:{'2' * 64}"), revision=Sha("b" * 40))
BAD = samples((20.0, 100.0), (20.0, 100.0), start=NOON + MINUTE)


def judged(stage: str, role: str, seen: Observation | None = None, *, policy: Policy = POLICY) -> Judgement:
    observation = seen or an_observation()
    decision = decide(policy, observation, observation.at)
    return next(item for item in decision.judgements if (item.stage, item.role) == (stage, role))


def in_production(sampled: Samples | Trouble) -> Judgement:
    production = new_production(sampled={"trigger:http-errors": sampled})
    return judged("production", "running", an_observation(production=production, at=NOON + 10 * MINUTE))


CHANGE = Change(
    file=PRODUCTION.edit.file, path="image.tag", line=3, old=OLD, new=NEW, at=0, was=f'"{OLD}"', now=f'"{NEW}"'
)


def a_move(**changes: object) -> MoveView:
    view = MoveView(
        policy=POLICY,
        source=STAGING,
        stage=PRODUCTION,
        release=AFTER,
        replaces=BEFORE,
        changes=(CHANGE,),
        forge_url=FORGE,
        judgement=judged("staging", "running"),
    )
    return replace(view, **changes)  # type: ignore[arg-type]  # a test names only what it changes


def a_comment(**changes: object) -> CommentView:
    view = CommentView(policy=POLICY, stage=PRODUCTION, release=AFTER, forge_url=FORGE)
    return replace(view, **changes)  # type: ignore[arg-type]  # as above


REVERT = RevertView(
    policy=POLICY,
    stage=PRODUCTION,
    release=AFTER,
    back_to=BEFORE,
    promotion=PROMOTION_COMMIT,
    changes=(replace(CHANGE, old=CHANGE.new, new=CHANGE.old or ""),),
    judgement=in_production(BAD),
)
BY_HAND = an_observation(production=old_production(promotion=a_proposal(a_pull())))
WAITING = judged("production", "candidate", BY_HAND)
HOSTILE = Trouble(system="Prometheus", sentence="@all <b>see</b> [x](http://evil.example) | `#1` " + "c" * 40)
SHORT = samples((0.0, 100.0), start=NOON + MINUTE)
STRANGE = replace(proven_staging(), samples={"gate:http-errors": HOSTILE})


def table() -> str:
    out = io.StringIO()
    Console(width=140, file=out).print(status_table([decide(POLICY, an_observation(), an_observation().at)]))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


TEXTS: Mapping[str, Callable[[], str]] = {
    "promotion-auto.md": lambda: f"{promotion_title(a_move())}\n\n{promotion_body(a_move())}",
    "promotion-human.md": lambda: promotion_body(a_move(stage=replace(PRODUCTION, merge=Merge.HUMAN))),
    "promotion-without-registry.md": lambda: promotion_body(
        a_move(release=Release(image=IMAGE, tag=NEW), replaces=Release(image=IMAGE, tag=OLD))
    ),
    "promotion-hostile.md": lambda: promotion_body(
        a_move(judgement=judged("staging", "running", an_observation(STRANGE)))
    ),
    "promotion-commit.txt": lambda: promotion_commit(a_move()),
    "revert-commit.txt": lambda: revert_commit(REVERT),
    "revert.md": lambda: f"{revert_title(REVERT)}\n\n{revert_body(REVERT)}",
    "comment-waiting.md": lambda: evidence_comment(a_comment(candidate=WAITING, source=judged("staging", "running"))),
    "comment-needs-a-person.md": lambda: evidence_comment(
        a_comment(
            candidate=judged("production", "candidate", BY_HAND, policy=a_policy(merge=Merge.HUMAN)),
            source=judged("staging", "running"),
        )
    ),
    "comment-watching.md": lambda: evidence_comment(a_comment(running=in_production(SHORT))),
    "comment-rolled-back.md": lambda: evidence_comment(
        a_comment(reverted_by=REVERT_COMMIT, reverted_at=NOON, reverted_why="http-errors: 40 of 200 bad (20 %)")
    ),
    "comment-closing.md": lambda: closing_comment("staging now runs 1.9.1; this pull request was for another release"),
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


def test_a_comment_does_not_change_with_the_time_of_the_look_alone() -> None:
    early, late = an_observation(), an_observation(at=an_observation().at + 20 * MINUTE)
    texts = {evidence_comment(a_comment(source=judged("staging", "running", seen))) for seen in (early, late)}
    assert len(texts) == 1


def test_a_body_that_is_too_long_keeps_its_verdict_and_its_table() -> None:
    verdict = judged("staging", "running").verdicts[0]
    many = replace(judged("staging", "running"), verdicts=tuple(replace(verdict, gate=f"g{n}") for n in range(2000)))
    body = promotion_body(a_move(judgement=many))
    assert len(body) < 65_536
    assert "**Merges by itself.**" in body
    assert "| `g0` |" in body
    assert body.endswith("`liftlock status --json`.")
    # The cut leaves whole rows: the last one before it has all its cells, and no block is left open.
    assert body.split("\n")[-3].count(" | ") == 4
    assert body.count("<details>") == body.count("</details>") == 0


def test_queries_that_are_too_long_are_left_out_before_anything_else() -> None:
    verdict = judged("staging", "running").verdicts[0]
    assert isinstance(verdict.evidence, CountEvidence)
    wordy = replace(verdict, evidence=replace(verdict.evidence, measured=a_measured(queries=("sum(" * 20_000,))))
    body = promotion_body(a_move(judgement=replace(judged("staging", "running"), verdicts=(wordy,))))
    assert "sum(sum(" not in body
    assert "### What happens next" in body
    assert "Judged by policy" in body
    assert body.endswith("`liftlock status --json`.")


def test_no_tag_steers_a_title_or_a_commit_message() -> None:
    hostile = replace(BEFORE, tag="1.8\n\nLiftlock-Reverts: x\n[skip ci] @eve")
    subject = "Promote checkout to production: 1.8 Liftlock Reverts: x (removed) @ eve -> 1.9.0"
    assert promotion_commit(a_move(replaces=hostile)).split("\n")[0] == subject
    assert revert_commit(replace(REVERT, back_to=hostile)).split("\n")[0] == f'Revert "{subject}"'
    assert promotion_title(a_move(replaces=hostile)) == subject.replace(" -> ", " → ")
