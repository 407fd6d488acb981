"""A promotion of checkout 1.9.0 in the lab, played in few sweeps: `live` proposes it, `ready` has it pass its window.

What people do is done on the lab's GitHub and reaches the bot as GitHub tells it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.adapters.github.writes import Pacing
from bot.compose.whole import compose
from bot.domain.decision import Decision, Judgement, State
from bot.engine.sweep import ServiceReport, Sweeper
from bot.lab.clock import ManualClock
from bot.lab.cluster import Behaviour
from bot.lab.github import Pull
from bot.lab.stories import GOOD
from bot.lab.world import GITOPS, Lab
from bot.settings import load_settings
from tests.stage import STEP, Stage, decision_for, the_judgement, with_pacing

FAILING = Behaviour(requests_per_second=100.0, error_ratio=0.2)
PLANNED = "apps/checkout/production/values.yaml"
APP_ID = 77
CHECK = "liftlock/production"


def use(lab: Lab, text: str, instead: str) -> None:
    """Change the policy of checkout."""
    path = lab.directory / "policies" / "checkout.yaml"
    before = path.read_text(encoding="utf-8")
    assert text in before
    path.write_text(before.replace(text, instead), encoding="utf-8")


def promote_by(lab: Lab, words: str) -> None:
    """Set what stands in the policy's `promote` besides `by: pull-request`."""
    use(lab, "promote: {by: pull-request, merge: auto}", f"promote: {{by: pull-request, {words}}}")


# --- how far it has come ---------------------------------------------------------------------------------------------


def tell_no_source(lab: Lab) -> None:
    """Leave the source repository out of the policy: what is told there is the half of all calls."""
    use(lab, "source: acme/checkout\n", "")


def live(stage: Stage, *, staging: Behaviour = GOOD, production: Behaviour = GOOD) -> Pull:
    """1.9.0 runs in staging and is observed; its pull request is open as a draft."""
    stage.lab.release("checkout", "1.9.0", in_staging=staging, in_production=production)
    for _ in range(6):
        stage.look_after(2)
        if stage.lab.pulls("checkout"):
            break
    pull = the_pull(stage)
    assert pull.draft
    return pull


def pass_window(stage: Stage) -> None:
    """Let the window go by; nothing has been decided since."""
    stage.leap(20)


def ready(stage: Stage) -> Pull:
    """1.9.0 has passed: its pull request was marked ready, and not yet merged."""
    live(stage)
    pass_window(stage)
    stage.sweeper.sweep()
    pull = the_pull(stage)
    assert not pull.draft
    assert pull.is_open
    return pull


def the_pull(stage: Stage) -> Pull:
    """The one promotion that there is; two are a failure."""
    (pull,) = stage.lab.pulls("checkout")
    return pull


def candidate(stage: Stage, seconds: int = 1) -> Judgement:
    """How 1.9.0 stands before production after one more sweep."""
    return the_judgement(stage.look_after(seconds), "production", "candidate")


def state(stage: Stage, seconds: int = 1) -> State:
    """The state of it."""
    return candidate(stage, seconds).state


def promoted(lab: Lab) -> bool:
    """Say whether 1.9.0 is in production's file."""
    return lab.has_tag("checkout", "production", "1.9.0")


def merged(stage: Stage, *, within: int = 6) -> Pull:
    """Sweep until it is merged, and return it."""
    for _ in range(within):
        if promoted(stage.lab):
            break
        stage.look_after(1)
    assert promoted(stage.lab), last_reasons(stage.look_after(1))
    return the_pull(stage)


def last_reasons(decision: Decision) -> str:
    """What the bot said last, for a failure."""
    return "; ".join(f"{item.stage} {item.role}: {item.state}: {item.reason}" for item in decision.judgements)


def merges(lab: Lab) -> int:
    """How often 1.9.0 was merged or committed into production."""
    return sum(
        message.splitlines()[0].startswith("Promote checkout to production: 1.8.2 -> 1.9.0 (#")
        for message in lab.messages()
    )


def outcomes(reports: tuple[ServiceReport, ...], kind: str) -> list[str]:
    """What came of the actions of a kind."""
    return [outcome for report in reports for action, outcome in report.outcomes if action.kind == kind]


def says(stage: Stage, marker: str = "liftlock:evidence") -> str:
    """The bot's comment with a marker; fails where there are two."""
    (body,) = [comment.body for comment in the_pull(stage).comments if comment.body.startswith(f"<!-- {marker} -->")]
    return body


def words_of(lab: Lab, comment: int) -> list[str]:
    """The reactions to a comment."""
    found = lab.github.world.repository(GITOPS).comment(comment)
    assert found is not None
    return [one.content for one in found.reactions]


# --- people with a clone ---------------------------------------------------------------------------------------------


def git_as(lab: Lab, login: str, script: str, where: Path) -> None:
    """Run git in a fresh clone of the GitOps repository as a person who may write to it."""
    clone = where / f"clone-{len(list(where.iterdir()))}"
    url = lab.github.clone_url(GITOPS, login)
    name = ["-c", f"user.name={login}", "-c", f"user.email={login}@example.com"]
    subprocess.run(["git", "clone", "-q", url, str(clone)], check=True, capture_output=True)
    for line in script.splitlines():
        subprocess.run(["git", *name, *line.split()], cwd=clone, check=True, capture_output=True)


def update_branch(lab: Lab, login: str, pull: Pull, where: Path) -> None:
    """Do what the button *Update branch* does: merge the base into the branch."""
    script = f"checkout -q {pull.head}\nmerge -q --no-edit origin/{pull.base}\npush -q origin {pull.head}"
    git_as(lab, login, script, where)


# --- bots ------------------------------------------------------------------------------------------------------------


def time_is_the_labs(sweeper: Sweeper, clock: ManualClock) -> Sweeper:
    """Let the pauses and limits of the adapter go by the lab's clock: to sleep is to let it pass."""
    pacing = Pacing(monotonic=lambda: clock.now().timestamp(), sleep=lambda seconds: _pass(clock, seconds))
    return with_pacing(sweeper, pacing)


def _pass(clock: ManualClock, seconds: float) -> None:
    clock.advance(STEP * max(0.0, seconds))


@contextmanager
def a_stage(lab: Lab, clock: ManualClock, settings: Path) -> Iterator[Stage]:
    """A bot with its own settings, in the lab's time."""
    with compose(load_settings(settings), clock=clock) as bot:
        yield Stage(lab=lab, clock=clock, sweeper=time_is_the_labs(bot.sweeper, clock))


def settings_of(lab: Lab, name: str) -> Path:
    """Write settings with a state directory of their own."""
    path = lab.write_settings(lab.directory / f"{name}.toml")
    text = path.read_text(encoding="utf-8").replace(f'"{lab.directory}/state"', f'"{lab.directory}/{name}"')
    path.write_text(text, encoding="utf-8")
    return path


def settings_of_app(lab: Lab, app_id: int = APP_ID) -> Path:
    """Make the bot a GitHub App of the lab; return its settings."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    lab.github.add_app(app_id, public.decode())
    path = settings_of(lab, f"app-{app_id}")
    key_file = lab.directory / "secrets" / f"app-{app_id}.pem"
    key_file.write_bytes(private)
    token = f'token_file = "{lab.directory}/secrets/github"'
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(token, f'app_id = {app_id}\nprivate_key_file = "{key_file}"'), encoding="utf-8")
    return path


def latest(reports: tuple[ServiceReport, ...]) -> Decision:
    """The decision for checkout."""
    return decision_for(reports, "checkout")


# --- at the worst moment ---------------------------------------------------------------------------------------------


def once_before(port: object, name: str, act: Callable[[], object]) -> None:
    """Let something happen once, right before the bot calls a method of a port."""
    call = getattr(port, name)

    def later(*positional: object, **named: object) -> object:
        setattr(port, name, call)
        act()
        return call(*positional, **named)

    setattr(port, name, later)


def before_the_last_look(stage: Stage, act: Callable[[], object]) -> None:
    """Let something happen after the decision to merge, before the bot looks again."""
    once_before(stage.sweeper.world.merging, "look_again", act)


def before_the_request(stage: Stage, act: Callable[[], object]) -> None:
    """Let something happen after the last look, before GitHub is asked to merge."""
    once_before(stage.sweeper.world.merging, "merge_promotion", act)
