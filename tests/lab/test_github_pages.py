"""The pages show a pull request as its reviewer sees it, with injected text made visible and harmless."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bot.lab.github.markdown import Surroundings, clean_html, render_markdown
from bot.lab.github.nouns import MergeQueue
from tests.lab.github_world import BRANCH, FILE, NEW, REPO, GitHubWorld, running_github

KNOWN = "4364c619aa"
HERE = Surroundings(root="http://h", repository="o/r", has_commit=lambda sha: sha == KNOWN)


@pytest.fixture(name="world")
def fixture_world(tmp_path: Path) -> Iterator[GitHubWorld]:
    with running_github(tmp_path) as world:
        yield world


def page(world: GitHubWorld, path: str) -> str:
    answer = httpx.get(f"{world.lab.url}{path}", trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return answer.text


def test_a_pull_request_is_shown_whole(world: GitHubWorld) -> None:
    message = "Promote <b>checkout</b>\n\nLiftlock-Service: checkout"
    world.lab.commit_as("liftlock", REPO, BRANCH, {FILE: NEW}, message)
    number = world.lab.open_pull_as("liftlock", REPO, BRANCH, "Promote <i>it</i>", body="From **1.4**<!-- marker -->")
    world.lab.comment_as("dana", REPO, number, "Please *wait*")
    world.lab.review_as("dana", REPO, number, "CHANGES_REQUESTED", body="Not yet")
    world.lab.add_check_run(REPO, world.head_of(number), "build", conclusion="failure")
    shown = page(world, f"/{REPO}/pull/{number}")
    for expected in (
        "Promote &lt;i&gt;it&lt;/i&gt;",
        'class="badge Open">Open<',
        f'<span class="branch">{BRANCH}</span>',
        "From <strong>1.4</strong>",
        "Please <em>wait</em>",
        "requested changes",
        'class="dot failure"',
        "<strong>unstable</strong>",
        "Promote &lt;b&gt;checkout&lt;/b&gt;",
        "Liftlock-Service: checkout",
        f"<strong>{FILE}</strong>",
        "tag: &#34;1.5&#34;",
    ):
        assert expected in shown
    assert "marker" not in shown
    world.lab.merge_pull(REPO, number, "dana")
    assert "merged commit" in page(world, f"/{REPO}/pull/{number}")
    assert "Promote &lt;i&gt;it&lt;/i&gt;" in page(world, f"/{REPO}/pulls")
    assert "Liftlock-Service: checkout" in page(world, f"/{REPO}/commits/main")
    assert REPO in page(world, "/")
    assert "tag: &#34;1.5&#34;" in page(world, f"/{REPO}/commit/{world.lab.head(REPO, BRANCH)}")


def test_what_the_bot_says_beside_its_text_is_shown(world: GitHubWorld) -> None:
    lab, number = world.lab, world.propose()
    lab.allow_auto_merge(REPO)
    lab.protect(REPO, "main", required_contexts=["liftlock/checkout-production", "ci"], required_approvals=1)
    lab.add_app(7, "")
    with lab.world.lock:
        token, _ = lab.world.issue_installation_token(lab.world.apps[7], {"checks": "write"}, None)
    output = {"title": "0 of 4 gates <b>unhealthy</b>", "summary": "All **well**"}
    with world.client(token) as app:
        body = {"name": "liftlock/checkout-production", "head_sha": world.head_of(number), "output": output}
        app.post(f"/repos/{REPO}/check-runs", json={**body, "conclusion": "neutral"}).raise_for_status()
    made = world.http.post(
        f"/repos/{REPO}/deployments", json={"ref": BRANCH, "environment": "staging", "required_contexts": []}
    ).json()
    status = {"state": "in_progress", "description": "Observing <i>it</i>"}
    world.http.post(f"/repos/{REPO}/deployments/{made['id']}/statuses", json=status).raise_for_status()
    lab.react_as("dana", REPO, lab.comment_as("dana", REPO, number, "/liftlock status"), "rocket")
    lab.label_as("dana", REPO, number, "<b>hold</b>")
    lab.arm_auto_merge_as("dana", REPO, number, method="squash")
    lab.convert_to_draft_as("rita", REPO, number)
    lab.edit_pull_as("dana", REPO, number, title="<u>New</u>")
    shown = page(world, f"/{REPO}/pull/{number}")
    for expected in (
        'class="badge Draft">Draft<',
        "cannot be merged.",
        "Auto-merge enabled by <strong>dana</strong> (squash)",
        "Review decision: <strong>review required</strong>",
        "neutral · 0 of 4 gates &lt;b&gt;unhealthy&lt;/b&gt;",
        '<span class="label">Required</span>',
        "All <strong>well</strong>",
        "expected · waiting to be reported",
        "in progress · Observing &lt;i&gt;it&lt;/i&gt;",
        "🚀 1",
        "added the &lt;b&gt;hold&lt;/b&gt; label",
        "marked this pull request as draft",
        "changed the title from “Promote” to “&lt;u&gt;New&lt;/u&gt;”",
    ):
        assert expected in shown
    lab.close_pull(REPO, number, "dana")
    assert "disabled auto-merge: Pull request was closed" in page(world, f"/{REPO}/pull/{number}")


def test_a_place_in_the_merge_queue_is_shown(world: GitHubWorld) -> None:
    number = world.propose()
    world.lab.protect(REPO, "main", merge_queue=MergeQueue())
    world.lab.enqueue_as("dana", REPO, number)
    assert "Queued to merge by <strong>dana</strong>" in page(world, f"/{REPO}/pull/{number}")
    world.clock.advance(timedelta(minutes=5))
    shown = page(world, f"/{REPO}/pull/{number}")
    assert "merged commit" in shown
    assert "closed this" not in shown


@pytest.mark.parametrize("path", [f"/{REPO}/pull/9", "/acme/none/pulls", f"/{REPO}/commits/none", f"/{REPO}/commit/0"])
def test_a_page_that_is_not_there_is_404(world: GitHubWorld, path: str) -> None:
    assert httpx.get(f"{world.lab.url}{path}", trust_env=False).status_code == 404


def test_a_page_loads_and_runs_nothing_from_elsewhere(world: GitHubWorld) -> None:
    answer = httpx.get(f"{world.lab.url}/{REPO}/pulls", trust_env=False)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@dana", '<p><a href="http://h/dana" class="auto mention">@dana</a></p>'),
        ("#12", '<p><a href="http://h/o/r/pull/12" class="auto issue">#12</a></p>'),
        ("GH-1", '<p><a href="http://h/o/r/pull/1" class="auto issue">GH-1</a></p>'),
        ("a/b#3", '<p><a href="http://h/a/b/pull/3" class="auto far">a/b#3</a></p>'),
        (KNOWN, f'<p><a href="http://h/o/r/commit/{KNOWN}" class="auto sha">{KNOWN}</a></p>'),
        ("1234567", "<p>1234567</p>"),
        ("x@dana.example", "<p>x@dana.example</p>"),
        ("`@dana #1`", "<p><code>@dana #1</code></p>"),
        (
            "see https://e.x/a_(b).",
            '<p>see <a href="https://e.x/a_(b)" class="auto url">https://e.x/a_(b)</a>.</p>',
        ),
        ("[@dana](http://e.x)", '<p><a href="http://e.x">@dana</a></p>'),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>"),
        ("![x](http://e.x/p)", '<p><a class="image" href="http://e.x/p">image: x</a></p>'),
        ("a <!-- b --> c", "<p>a  c</p>"),
        ("<!-- never closed\n\n**b**", ""),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("~~no~~", "<p><s>no</s></p>"),
        ("a <img src=x onerror=y>", "<p>a &lt;img src=x onerror=y&gt;</p>"),
        ("a <sub>b</sub>", "<p>a <sub>b</sub></p>"),
        ("a[^1]", "<p>a[^1]</p>"),
        ("[x] a", "<p>[x] a</p>"),
        ("a <sub onclick=x>b</sub>", "<p>a &lt;sub onclick=x&gt;b</sub></p>"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_markdown_is_shown_as_github_shows_it(text: str, shown: str) -> None:
    assert render_markdown(text, HERE).strip().replace("<br />", "<br>") == shown


def test_tables_and_details_are_shown() -> None:
    text = "| a | b |\n|---|--:|\n| 1 | 2 |\n\n<details open><summary>More</summary>\n\n`x`\n\n</details>\n"
    shown = render_markdown(text, HERE)
    assert '<td style="text-align:right">2</td>' in shown
    assert "<details open><summary>More</summary>" in shown
    assert shown.rstrip().endswith("</details>")


def test_task_lists_have_boxes_that_nobody_can_tick() -> None:
    shown = render_markdown("- [ ] a\n- [x] @dana\n- [X]b\n- c\n", HERE)
    assert shown.count('<li class="task-list-item"><input type="checkbox" disabled') == 2
    assert '<input type="checkbox" disabled checked> <a href="http://h/dana"' in shown
    assert "<li>[X]b</li>" in shown


def test_other_html_is_shown_as_text() -> None:
    assert clean_html("<script>x</script><BR><details class=y>") == (
        "&lt;script&gt;x&lt;/script&gt;<br>&lt;details class=y&gt;"
    )
