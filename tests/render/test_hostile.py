"""Whatever stands in a tag, a name, a reason, a query or a commit message: what is rendered of it is only text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot.domain.decision import Decision, Judgement, MergePromotion, OpenPromotion
from bot.render.commits import promotion_commit, revert_commit
from bot.render.escape import code, for_chart, mention, plain
from bot.render.markdown import (
    attention_comment,
    closing_comment,
    evidence_comment,
    promotion_body,
    promotion_title,
    revert_body,
    revert_title,
)
from bot.render.screen import first_screen
from bot.render.signals import Arrived, check_text, deployment_text, source_comment, status_text
from bot.render.terminal import decision_lines, explanation_lines, status_table
from bot.render.titles import render_title
from tests.builders import NOON, sha
from tests.render.hostile import (
    HARMLESS,
    HOSTILE,
    JOINER,
    STANDING,
    a_comment_of,
    a_move_of,
    a_release,
    a_revert_of,
    acting,
    hidden,
    structure,
)
from tests.render.views import AFTER, NOW

MARKDOWN: Mapping[str, Callable[[str], str]] = {
    "body": lambda text: promotion_body(a_move_of(STANDING["held"], text)),
    "body of a merged one": lambda text: promotion_body(a_move_of(STANDING["watched"], text)),
    "comment": lambda text: evidence_comment(a_comment_of(STANDING["held"], text)),
    "revert": lambda text: revert_body(a_revert_of(text)),
    "check": lambda text: check_text(a_comment_of(STANDING["unhealthy"], text), NOON).summary,
    "closing": closing_comment,
    "source": lambda text: source_comment(a_comment_of(STANDING["watched"], text), Arrived(number=7, at=NOON)) or "",
    "source, taken back": lambda text: source_comment(a_comment_of(STANDING["rolled-back"], text), Arrived()) or "",
}
IDS = [f"{n}: {text[:20]!a}" for n, text in enumerate(HOSTILE)]


def screens(text: str) -> str:
    views = [a_comment_of(view, text) for view in STANDING.values()]
    calls = [call for view in views if (call := attention_comment(view))]
    assert calls
    return "\n\n".join([*(first_screen(view).text for view in views), *calls])


@cache
def expected(place: str) -> tuple[object, object]:
    text = screens(HARMLESS) if place == "screens" else MARKDOWN[place](HARMLESS)
    return structure(text), acting(text)


def test_there_are_enough_hostile_texts() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 45


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE, ids=IDS)
@pytest.mark.parametrize("place", MARKDOWN)
def test_a_hostile_text_renders_as_a_harmless_one_does(place: str, text: str) -> None:
    shown = MARKDOWN[place](text)
    assert (structure(shown), acting(shown)) == expected(place)
    assert not hidden(shown)


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE, ids=IDS)
def test_every_first_screen_and_call_for_a_person_is_only_text(text: str) -> None:
    shown = screens(text)
    assert (structure(shown), acting(shown)) == expected("screens")
    assert not hidden(shown)


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE, ids=IDS)
def test_a_title_says_names_and_acts_on_nothing(text: str) -> None:
    move = a_move_of(STANDING["ready"], text)
    template = "Promote {service}: {new}"
    titles = (promotion_title(move), revert_title(a_revert_of(text)), render_title(template, {"new": text}))
    for title in (*titles, render_title(text, {"new": "1"})):
        assert 0 < len(title) <= 250
        assert not re.search(r"(?i)[`\n]|@\w|#\d|\bgh-\d|(?<![0-9a-z])[0-9a-f]{7,}(?![0-9a-z])|\w://|skip ci", title)
        assert not hidden(title)


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE, ids=IDS)
def test_a_commit_message_keeps_its_trailers_and_gets_no_other(text: str) -> None:
    for message in (
        promotion_commit(replace(a_move_of(STANDING["ready"], text), release=AFTER)),
        revert_commit(replace(a_revert_of(text), release=AFTER)),
    ):
        prose, _, trailers = message.rstrip("\n").rpartition("\n\n")
        assert all(line.startswith("Liftlock-") for line in trailers.split("\n"))
        assert not re.search(r"(?im)^(?:liftlock|co-authored|signed)-[a-z-]+:|@\w|#\d|\[skip ci\]", prose)
        assert not hidden(message)


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE, ids=IDS)
def test_signals_are_one_line_of_plain_text(text: str) -> None:
    for view in STANDING.values():
        hostile = a_comment_of(view, text)
        assert re.fullmatch(r".{1,200}", check_text(hostile, NOON).title)
        for judgement in (hostile.source, hostile.candidate, hostile.running):
            if judgement is None:
                continue
            told = [status_text(hostile.policy, judgement, NOW).description]
            deployed = deployment_text(hostile.policy, judgement, NOW)
            told += [deployed.description] if deployed else []
            assert all(re.fullmatch(r".{1,140}", one) and not hidden(one) for one in told)


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE, ids=IDS)
def test_the_terminal_is_not_steered(text: str) -> None:
    view = a_comment_of(STANDING["held"], text)
    judgements: tuple[Judgement, ...] = tuple(one for one in (view.source, view.candidate) if one is not None)
    release = a_release(text)
    opening = OpenPromotion(
        stage="production", source_stage="staging", branch=text, release=release, replaces=release, reason=text
    )
    merge = MergePromotion(
        stage="production", number=7, branch=text, head=sha("h"), release=release, replaces=release, reason=text
    )
    decision = Decision(
        service="checkout",
        at=NOON,
        policy_version="v",
        judgements=judgements,
        actions=(opening, merge),
        look_again=NOON,
    )
    lines = [*decision_lines(decision, dry_run=True), *explanation_lines(decision, judgements)]
    assert all("\n" not in line and not hidden(line) for line in lines)
    out = io.StringIO()
    Console(width=200, file=out).print(status_table([decision]))
    assert not hidden(out.getvalue())


# --- laws ------------------------------------------------------------------------------------------------------------

_MEAN = st.text(alphabet="ab01 `*_[]()<>!#@|~$:&\\-+.=>\n/\u202e\u200b", max_size=30)


@pytest.mark.invariant("I12")
@given(text=_MEAN | st.text(max_size=60))
def test_any_text_in_a_cell_a_list_and_a_line_is_only_text(text: str) -> None:
    def shown(one: str, span: str) -> str:
        return f"{one}\n\n- {one} {span}\n\n| {one} | {span} |\n|---|---|\n| {span} | {one} |\n\n> {one}\n"

    harmless = structure(shown("x", "`x`"))
    mean = shown(plain(text) or "x", code(text))
    assert structure(mean) == harmless
    assert acting(mean) == acting(shown("x", "`x`"))


@given(text=_MEAN | st.text(max_size=60))
def test_no_name_leaves_the_title_of_a_chart(text: str) -> None:
    assert re.fullmatch(r"[^\"`\n;#\[\]{}<>\\]*", for_chart(text))


@pytest.mark.parametrize("handle", ["@dana", "@acme/release", "@acme/on.call_2"])
def test_a_handle_of_the_policy_is_a_mention(handle: str) -> None:
    assert mention(handle) == handle


@pytest.mark.parametrize("handle", ["dana", "@", "@dana, @eve", "@a/b/c", "@dana\n", "@dana [x](y)", "@-x", "@acme/"])
def test_what_is_no_handle_is_no_mention(handle: str) -> None:
    assert mention(handle).startswith("`")


def test_only_handles_of_the_policy_are_told() -> None:
    view = STANDING["unhealthy"]
    hostile = replace(a_comment_of(view, "@eve"), stage=view.stage)
    call = attention_comment(hostile) or ""
    assert re.findall(r"(?<!`)@\w[\w/]*", call) == ["@acme/oncall"]
    assert f"@{JOINER}eve" in call
