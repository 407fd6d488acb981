"""`liftlock argocd explain`: over saved applications, by a table or a clone, and live; a fault is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.adapters.clock import SystemClock
from bot.cli.app import app
from bot.lab.world import GITOPS, Lab, running_lab
from tests.adapters.gitserver import GitServer
from tests.domain.argo_cases import FOLDER, HYDRATED_B, HYDRATED_C, NAME, B, C, D, E, item_of
from tests.test_saved_application import at_commits

USAGE_FAULT = 2
TABLE = {C: "yes", D: "yes", B: 2, HYDRATED_C: "yes", HYDRATED_B: 2, E: "other tag"}


def liftlock(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def explain(fixture: str, *more: str | Path, commit: str = C) -> Result:
    file = FOLDER / f"{fixture}.json"
    return liftlock("argocd", "explain", NAME, "--file", file, "--commit", commit, *more)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "ancestry.json"
    file.write_text(json.dumps(TABLE), encoding="utf-8")
    return file


def refused(result: Result) -> str:
    """The one sentence of a refusal."""
    assert result.exit_code == USAGE_FAULT, result.output
    assert result.stdout == ""
    assert result.exception is None or isinstance(result.exception, SystemExit)
    (line,) = result.stderr.splitlines()
    assert line.startswith("liftlock: ")
    assert line.isprintable()
    return line.removeprefix("liftlock: ")


# --- saved, by a table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "code", "first"),
    [
        ("live", 0, f"live: {NAME}: synced and Healthy"),
        ("hydrated_live", 0, f"live: {NAME}: synced and Healthy"),
        ("multi_source_helm_values", 0, f"live: {NAME}: synced and Healthy"),
        ("prune_pending", 0, f"live: {NAME}: Healthy, and OutOfSync after its sync: one resource waits for pruning"),
        ("degraded", 1, f"unhealthy: {NAME}: Argo CD reports it Degraded"),
        ("failed", 1, f"unhealthy: {NAME}: the sync of this release ended as Failed: "),
        ("being_deleted", 3, f"waiting: {NAME}: it is being deleted"),
        (
            "behind",
            3,
            f"waiting: {NAME}: Argo CD still reports revision {B[:7]}, two commits behind {C[:7]}, which brought the",
        ),
        ("revision_of_another_tag", 3, f"waiting: {NAME}: Argo CD still reports revision {E[:7]}, in which the tag"),
        ("operation_running", 3, f"waiting: {NAME}: a sync is running"),
        ("stale_reconciled_before_finish", 3, f"waiting: {NAME}: Argo CD has synced at"),
        ("comparison_error", 5, f"cannot tell: {NAME}: Argo CD reports ComparisonError: "),
        ("revision_unknown", 5, f"cannot tell: {NAME}: Argo CD still reports revision 9f42d8c, which the repository's"),
    ],
)
def test_a_saved_application_is_explained_and_the_code_says_how_it_stands(
    table: Path, fixture: str, code: int, first: str
) -> None:
    result = explain(fixture, "--ancestry", table)
    assert result.exit_code == code, result.output
    assert result.stdout.splitlines()[0].startswith(first)
    assert result.stderr == ""


def test_the_facts_stand_below_the_answer(table: Path) -> None:
    result = explain("live", "--ancestry", table)
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["sync", "operation", "health", "looked"]
    assert f"Synced at {C[:7]}, follows main; auto-sync on" in result.stdout


def test_every_fixture_ends_with_a_code_that_means_something(table: Path) -> None:
    for file in sorted(FOLDER.glob("*.json")):
        result = explain(file.stem, "--ancestry", table)
        assert result.exit_code in {0, 1, 3, 5}, (file.stem, result.output, result.exception)
        assert all(line.isprintable() for line in result.stdout.splitlines()), file.stem


def test_json_tells_liveness_and_application_with_the_same_code(table: Path) -> None:
    result = explain("behind", "--ancestry", table, "--json")
    assert result.exit_code == 3, result.output
    told = json.loads(result.stdout)
    assert set(told) == {"liveness", "applications", "timeline"}
    assert told["liveness"]["stance"] == "waiting"
    (judged,) = told["liveness"]["applications"]
    assert judged["name"] == told["applications"][0]["name"] == NAME
    assert told["applications"][0]["revisions"] == [B]
    assert told["timeline"] == []


def test_release_repository_and_branch_are_heeded(table: Path) -> None:
    before = explain("image_not_yet", "--ancestry", table, "--release", "ghcr.io/acme/checkout:1.9.0")
    assert before.exit_code == 3, before.output
    assert "the images it runs do not include the release yet" in before.stdout
    others = explain("live", "--ancestry", table, "--repository", "acme/other")
    assert others.exit_code == 5, others.output
    assert "none of its sources comes from the stage's repository" in others.stdout
    other = explain("target_tag_behind", "--ancestry", table, "--branch", "main")
    assert "; it tracks " in other.stdout


# --- saved, by a clone -----------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> GitServer:
    made = GitServer(tmp_path / "server")
    for number in range(4):
        made.commit({"README.md": f"{number}\n"})
    return made


@pytest.fixture
def clone(tmp_path: Path, server: GitServer) -> Path:
    folder = tmp_path / "clone"
    quiet = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "clone", "--quiet", str(server.directory), str(folder)], check=True, env=quiet)
    return folder


def with_commits(tmp_path: Path, server: GitServer, fixture: str) -> Path:
    file = tmp_path / "application.json"
    file.write_text(at_commits(server, fixture), encoding="utf-8")
    return file


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_a_clone_tells_how_far_behind_an_application_is(
    tmp_path: Path, server: GitServer, clone: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    file, release = with_commits(tmp_path, server, "behind"), server.git("rev-parse", "main~1")
    where = clone.relative_to(tmp_path) if relative else clone
    result = liftlock(
        "argocd", "explain", NAME, "--file", file.name, "--ancestry", where, "--commit", release[:7].upper()
    )
    assert result.exit_code == 3, result.output
    assert f", two commits behind {release[:7]}, which brought the release" in result.stdout


def test_a_clone_knows_that_a_later_commit_has_the_release(tmp_path: Path, server: GitServer, clone: Path) -> None:
    file, release = with_commits(tmp_path, server, "live_at_later_commit_only"), server.git("rev-parse", "main~1")
    result = liftlock("argocd", "explain", NAME, "--file", file, "--ancestry", clone, "--commit", release)
    assert result.exit_code == 0, result.output


def test_a_commit_that_the_clone_lacks_is_told(clone: Path) -> None:
    assert refused(explain("live", "--ancestry", clone)) == (
        f"git: the clone has no commit {C}; expected a commit's SHA"
    )


# --- wrong use -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("commit", ["main", "HEAD", "c17a90", "", "g" * 40, "a" * 65, f"{C}\n", "--help", "c17a90e^"])
def test_a_commit_is_a_sha(commit: str) -> None:
    result = liftlock("argocd", "explain", NAME, "--file", FOLDER / "live.json", f"--commit={commit}")
    assert refused(result) == f"--commit {commit!r}: expected a commit's SHA, 7 to 64 hexadecimal digits"


def test_a_file_needs_a_commit() -> None:
    result = liftlock("argocd", "explain", NAME, "--file", FOLDER / "live.json")
    assert refused(result) == "--file needs --commit: which commit should run?"


@pytest.mark.parametrize("release", ["", "checkout", "ghcr.io/acme/checkout", "ghcr.io/acme/checkout:", ":1.9.0"])
def test_a_release_is_an_image_with_a_tag(release: str) -> None:
    assert refused(explain("live", f"--release={release}")) == (
        f"--release {release!r}: expected an image with a tag, such as ghcr.io/acme/checkout:1.9.0"
    )


@pytest.mark.parametrize(
    "option", [("--ancestry", "."), ("--release", "a:1"), ("--repository", "a/b"), ("--branch", "main")], ids=str
)
def test_what_belongs_to_a_file_is_refused_without_one(option: tuple[str, str]) -> None:
    result = liftlock("argocd", "explain", NAME, *option)
    assert refused(result) == "--ancestry, --release, --repository and --branch belong to --file"


def test_an_abbreviated_commit_needs_a_clone(table: Path) -> None:
    assert "c17a90e" in refused(explain("live", "--ancestry", table, commit="c17a90e"))


def test_a_table_with_another_word_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "ancestry.json"
    table.write_text(json.dumps({C: "maybe"}), encoding="utf-8")
    assert refused(explain("live", "--ancestry", table)) == (
        f'ancestry: {table}: {C}: found "maybe", '
        "expected one of yes, behind, other tag, unknown, or how many commits it is behind"
    )


def test_missing_settings_are_one_sentence(tmp_path: Path) -> None:
    said = refused(liftlock("argocd", "explain", NAME, "--config", tmp_path / "nowhere.toml"))
    assert "there is no such settings file" in said


# --- hostile files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no JSON"),
        (b"\x00\x1b[2J", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 500_000, "is no JSON"),
        (b'{"status":' * 200_000, "is no JSON"),
        (b"[]", "expected a JSON object, such as `argocd app get NAME -o json` prints"),
        (b'{"items": [], "status": 5}', "is no Argo CD application: status is no object"),
        (b'{"status": {"history": [{"deployedAt": {}}]}}', "is no Argo CD application: deployedAt is no text"),
        (b'{"spec": {"source": {"repoURL": 5}}}', "is no Argo CD application: repoURL is no text"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_hostile_file_is_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "application.json"
    file.write_bytes(content)
    said = refused(liftlock("argocd", "explain", NAME, "--file", file, "--commit", C))
    assert said.partition(": ")[2].startswith(f"{file}: {says}")


def test_a_file_that_is_too_large_or_not_there_is_one_sentence(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as handle:
        handle.truncate(32 * 1024 * 1024 + 1)
    for file, says in ((huge, "is larger than 33554432 bytes"), (tmp_path / "absent", "No such file or directory")):
        assert says in refused(liftlock("argocd", "explain", NAME, "--file", file, "--commit", C))


HOSTILE = "\x1b[31mred\x07\r\nsecond line\u202e\u200b" + "x" * 100_000


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "JSON"])
@pytest.mark.parametrize("text", [HOSTILE, "\ud800"], ids=["control characters", "half a character"])
@pytest.mark.parametrize(
    "path",
    [
        ("status", "health", "status"),
        ("status", "health", "message"),
        ("status", "sync", "status"),
        ("status", "operationState", "phase"),
        ("status", "operationState", "message"),
        ("status", "summary", "images", 0),
        ("spec", "source", "targetRevision"),
    ],
    ids=lambda path: ".".join(str(part) for part in path),
)
def test_hostile_words_in_a_file_reach_no_terminal(
    tmp_path: Path, path: tuple[str | int, ...], text: str, as_json: bool
) -> None:
    item = item_of("degraded")
    node = item
    for part in path[:-1]:
        node = node[part]  # type: ignore[index]  # the fixture has all of these
    node[path[-1]] = text  # type: ignore[index]  # likewise
    file = tmp_path / "application.json"
    file.write_text(json.dumps(item), encoding="utf-8")
    more = ["--json"] if as_json else []
    release = ["--release", "ghcr.io/acme/checkout:1.9.0"]
    result = liftlock("argocd", "explain", NAME, "--file", file, "--commit", C, *release, *more)
    assert result.exit_code in {1, 2, 3, 5}, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    if as_json and result.stdout:
        json.loads(result.stdout)
    else:
        assert all(line.isprintable() and len(line) < 2000 for line in result.stdout.splitlines())


def test_a_hostile_name_reaches_no_terminal() -> None:
    result = liftlock("argocd", "explain", "a\x1b[31m\nb", "--file", FOLDER / "degraded.json", "--commit", C)
    assert result.exit_code == 1, result.output
    assert all(line.isprintable() for line in result.stdout.splitlines())


# --- live ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def live_lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab on the machine's clock, in which checkout runs 1.8.2."""
    folder = tmp_path / "lab"
    folder.mkdir()
    with running_lab(folder, SystemClock()) as lab:
        lab.add_service("checkout", "1.8.2")
        settle(lab)
        yield lab


def settle(lab: Lab) -> None:
    """Let Argo CD's reconcilers run until both stages are looked at after their syncs."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        lab.argocd.tick()
        statuses = [lab.argocd.status(f"checkout-{stage}") for stage in ("staging", "production")]
        if all(one.health.status == "Healthy" and is_looked_at(one) for one in statuses):
            return
        time.sleep(0.05)
    raise AssertionError("the lab never settled")


def is_looked_at(status: object) -> bool:
    operation, looked = getattr(status, "operation", None), getattr(status, "reconciled_at", None)
    ended = getattr(operation, "finished_at", None)
    return ended is not None and looked is not None and looked > ended


@pytest.fixture
def config(live_lab: Lab, tmp_path: Path) -> Path:
    return live_lab.write_settings(tmp_path / "liftlock.toml")


def live(config: Path, *arguments: str) -> Result:
    return liftlock("argocd", "explain", *arguments, "--config", config)


def test_a_live_application_is_explained_with_its_timeline_and_nothing_changes(live_lab: Lab, config: Path) -> None:
    before = live_lab.github.branches(GITOPS)
    result = live(config, NAME)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"live: {NAME}: synced and Healthy\n")
    assert live_lab.github.branches(GITOPS) == before
    assert not (live_lab.directory / "state" / "ledger.db").exists()
    assert {one.method for one in live_lab.argocd_wire.exchanges} == {"GET"}
    assert (live_lab.argocd.refreshes(NAME), live_lab.argocd.syncs(NAME)) == ([], [])
    told = json.loads(live(config, NAME, "--json").stdout)
    assert told["liveness"]["stance"] == "live"
    assert [step["step"] for step in told["timeline"]][-1] == "live"


def test_an_application_that_is_behind_says_so_live(live_lab: Lab, config: Path) -> None:
    commit = live_lab.release("checkout", "1.9.0")
    result = live(config, "checkout-staging", "--commit", commit[:7])
    assert result.exit_code == 3, result.output
    assert f"one commit behind {commit[:7]}, which brought 1.9.0" in result.stdout


def test_a_commit_that_did_not_set_the_tag_is_told_those_that_did(config: Path) -> None:
    said = refused(live(config, NAME, "--commit", "1" * 40))
    assert said.startswith(f"Git: the commit {'1' * 40} did not set this stage's tag; those that did: ")


def test_an_application_of_no_policy_is_told(config: Path) -> None:
    assert refused(live(config, "cart-production")) == (
        "policies: no policy has a stage with the application cart-production; a saved one needs --file"
    )


def test_the_default_server_may_be_named_as_in_a_policy(live_lab: Lab, config: Path) -> None:
    policy = live_lab.directory / "policies" / "checkout.yaml"
    policy.write_text(policy.read_text().replace(f"argocd: {NAME}", f"argocd: argocd:{NAME}"))
    assert live(config, f"argocd:{NAME}").exit_code == 0


def test_argo_cd_out_of_reach_is_cannot_tell_and_no_crash(live_lab: Lab, config: Path) -> None:
    config.write_text(config.read_text().replace(live_lab.argocd_url, "http://127.0.0.1:9"))
    result = live(config, NAME)
    assert result.exit_code == 5, result.output
    assert "could not be reached" in result.stdout
