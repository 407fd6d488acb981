"""Texts from outside that try to be more than text, and views in which every such text is one of them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.approvals import Discounted, Tally
from bot.domain.argo import NamedApplication
from bot.domain.decision import Judgement
from bot.domain.edit import Change
from bot.domain.model import Digest, Release, Sha
from bot.domain.policy import EvidenceIn, Origin, Policy, Proposing, Stage
from bot.domain.pulls import Checks, Pull, Reviews
from bot.domain.timeline import Milestone, Step
from bot.domain.verdicts import BaselineEvidence, Verdict, VerdictKind
from bot.forge import SourceCommit, Span
from bot.lab.github.markdown import Surroundings, render_markdown
from bot.render.views import AnswerView, ChangeView, CommentView, MoveView, OverrideView, RevertView, SupersededView
from tests.builders import MINUTE, NOON, a_count_gate, a_measured, a_rollback, sha
from tests.render.views import STATES, a_move, a_revert, slices

HOSTILE = (
    # people and teams
    "@everyone",
    "@acme/admins look here",
    "(@eve)",
    "_@eve_",
    "eve@evil.example",
    # references and commits
    "see #123",
    "GH-1 and gh-17",
    "acme/deploy#7",
    "CVE-2021-44228 TICKET-1",
    "0123456789abcdef0123456789abcdef01234567",
    "DEADBEEF01",
    "acme/deploy@0123456789abcdef",
    # addresses
    "https://evil.example/x",
    "_www.evil.example",
    "1http://evil.example/x",
    "mailto:a@evil.example",
    "ftp://evil.example",
    "xmpp:eve@evil.example",
    "<https://evil.example>",
    # links, images, footnotes
    "[click](https://evil.example)",
    "![pixel](https://evil.example/p.png)",
    "[x]: https://evil.example",
    "[^1] note",
    "](https://evil.example) [",
    # HTML
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "</details><details open><summary>x</summary>",
    "<!-- liftlock:promotion checkout/production -->",
    "--> <b>out</b> <!--",
    "<!-- liftlock:begin -->forged<!-- liftlock:end -->",
    "&lt;b&gt; &#60;b&#62; &commat;eve &#64;eve",
    # tables, code, emphasis
    "a | b | c |",
    "|---|---|",
    "\\| x \\",
    "`code` ``two`` ```three",
    "```mermaid",
    "~~~",
    "`",
    "*bold* _it_ **b** ~~gone~~",
    # blocks
    "# heading",
    "- item",
    "1. item",
    "+ item",
    "[ ] task",
    "> quote",
    "> [!CAUTION]",
    "---",
    "===",
    "    indented",
    "line\nbreak\n\n# heading\n\n- item",
    "line\r\n\r\n| a | b |\r\n|---|---|\r\n| c | d |",
    # what GitHub adds
    ":tada: :+1: :100:",
    "$x^2$ and $`y`$",
    "$$x$$",
    "/liftlock approve",
    # what cannot be seen
    "\u202egnol\u202c \u2066isolate\u2069",
    "zero\u200bwidth\u2060joiner \ufeff \u00ad",
    "tab\tand\x00null\x1b[31mred\x1b]8;;https://evil.example\x07",
    "a\u3164\u115f\u2800b" + "\u0301" * 50,
    # commit messages, templates, charts
    "Closes #1, fixes acme/deploy#2 [skip ci]",
    "Liftlock-Reverts: " + "a" * 40,
    "Co-authored-by: Eve <eve@evil.example>",
    '"] bar [9, 9] title "x',
    "{new} {service} {0.__class__}",
    "%s %(x)s {{x}}",
    'sum(rate(x{job="a|b"}[5m])) > 0 # @eve',
    "x" * 5000,
)
HARMLESS = "harmless"
SURROUNDINGS = Surroundings(root="https://lab", repository="acme/deploy", has_commit=lambda _: True)
_FOUND = re.compile(
    r"(?i)(?:https?|ftp)://\S*|(?:mailto|xmpp):\S*|www\.\S*|@\w[\w/-]*|\w*#\d+|\b[a-z]+-\d+|\$"
    r"|(?<![0-9a-z])[0-9a-f]{7,}(?![0-9a-z])|:(?:[\w+-]*[a-z][\w+-]*|[+-]1|100|1234):"
)
_SOURCE = re.compile(r"(?m)^[\s>]*(?:[-*+]|\d+[.)])\s+\[[ xX]\]|(?<!\\)\[\^|^[\s>]*>\s*\[!")
_MARKER = re.compile(r"<!--.*")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
JOINER = "\u2060"


# --- what a renderer makes of a text ---------------------------------------------------------------------------------


def structure(markdown: str) -> list[tuple[str, str, str]]:
    """Return all that a Markdown renderer makes but the words: each token's kind, tag and, of HTML and links, content.

    Equal for a hostile and a harmless text: then the hostile one is nothing but text.
    """
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [_shape(token) for token in _flat(parser.parse(markdown)) if token.type not in {"text", "text_special"}]


def _flat(tokens: list[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *(token.children or ()))]


def _shape(token: Token) -> tuple[str, str, str]:
    content = token.content if token.type in {"html_block", "html_inline"} else str(token.attrs.get("href", ""))
    return token.type, token.tag, token.info or content


def acting(markdown: str) -> Counter[str]:
    """Return what GitHub would act on in the words and in the source: mentions, references, commits, addresses, …"""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = _flat(parser.parse(markdown))
    words = "\n".join(token.content for token in tokens if token.type == "text")
    source = markdown
    for token in tokens:
        if token.type in {"code_inline", "fence"}:
            source = source.replace(token.content, "")
    anchors = re.findall(r"<(?:a|img) [^>]*>", render_markdown(markdown, SURROUNDINGS))
    return Counter([*_FOUND.findall(words), *_SOURCE.findall(source), *_MARKER.findall(markdown), *anchors])


def hidden(text: str) -> set[str]:
    """Return the characters that nobody sees, but for white space and the joiner by which the bot breaks up a link."""
    return {one for one in text if unicodedata.category(one) in _INVISIBLE and one not in {"\n", "\t", JOINER}}


# --- views full of it ------------------------------------------------------------------------------------------------


def a_release(text: str) -> Release:
    return Release(image=text, tag=text, digest=Digest(text), revision=Sha(f"{text}'"))


def a_policy_of(policy: Policy, text: str) -> Policy:
    stages = tuple(a_stage_of(stage, text) for stage in policy.stages)
    origin = Origin(repository=text, commit=Sha(f"{text}'"))
    return replace(policy, file=text, version=text, source=text, stages=stages, origin=origin)


def a_stage_of(stage: Stage, text: str) -> Stage:
    gate = replace(a_count_gate(name=text), title=text)
    return replace(
        stage,
        edit=replace(stage.edit, file=text),
        applications=(NamedApplication(name=text),),
        gates=(gate,),
        rollback=a_rollback(triggers=(gate,)) if stage.rollback is not None else None,
        proposing=Proposing(approvers=(text, text), notify=(), evidence=EvidenceIn.BODY),
    )


def a_verdict_of(verdict: Verdict, text: str) -> Verdict:
    evidence = verdict.evidence
    if evidence is not None and evidence.kind == "counts":
        evidence = replace(evidence, measured=replace(evidence.measured, queries=(text,), backend=text))
    return replace(verdict, gate=text, reason=text, would_change=text, evidence=evidence)


def _against_base(text: str) -> Verdict:
    evidence = BaselineEvidence(
        measured=replace(a_measured(), queries=(text,), backend=text),
        base=text,
        bad=1.0,
        total=100.0,
        base_bad=1.0,
        base_total=100.0,
        tolerated=0.02,
        upper_bound=0.01,
        e_value=1.0,
        alarm=20.0,
        course=slices(0.0, 1.0),
    )
    return Verdict(gate=text, kind=VerdictKind.UNHEALTHY, reason=text, would_change=text, evidence=evidence)


def _bare(text: str) -> Verdict:
    return Verdict(gate=text, kind=VerdictKind.CANNOT_TELL, reason=text, would_change=text)


def a_judgement_of(judgement: Judgement | None, text: str) -> Judgement | None:
    if judgement is None:
        return None
    return replace(
        judgement,
        release=a_release(text),
        reason=text,
        verdicts=(*(a_verdict_of(one, text) for one in judgement.verdicts), _against_base(text), _bare(text)),
        approvals=a_tally_of(judgement.approvals, text),
        timeline=tuple(
            Milestone(step=step, at=NOON + n * MINUTE, source=text, application=text) for n, step in enumerate(Step)
        ),
    )


def a_tally_of(tally: Tally | None, text: str) -> Tally | None:
    if tally is None:
        return None
    return replace(
        tally,
        people=(text,) * len(tally.people),
        given=tuple(replace(one, login=text) for one in tally.given),
        others=tuple(Discounted(login=text, why=text) for _ in tally.others),
        unknown=(text,) * len(tally.unknown),
        trouble=text if tally.trouble else "",
    )


def a_pull_of(pull: Pull | None, text: str) -> Pull | None:
    if pull is None:
        return None
    checks, reviews = pull.checks, pull.reviews
    return replace(
        pull,
        branch=text,
        labels=(text,),
        closed_by=text if pull.closed_by else None,
        merged_by=text if pull.merged_by else None,
        checks=Checks(
            failed=(text,) * len(checks.failed),
            pending=(text,) * len(checks.pending),
            missing=(text,) * len(checks.missing),
        ),
        reviews=Reviews(
            approved_by=(text,) * len(reviews.approved_by),
            changes_requested_by=(text,) * len(reviews.changes_requested_by),
            is_short=reviews.is_short,
        ),
    )


def a_comment_of(view: CommentView, text: str) -> CommentView:
    around = view.circumstances
    answers = tuple(
        AnswerView(by=text, order=order, at=NOON, is_accepted=accepted, effect=text)
        for order, accepted in ((text, True), (text, False), ("/liftlock explain", True))
    )
    circumstances = replace(
        around,
        pull=a_pull_of(around.pull, text),
        overrides=(OverrideView(gate=text, by=text, reason=text),),
        supersedes=(SupersededView(number=12, tag=text),),
        answers=answers,
        history=(ChangeView(at=NOON, state=text, reason=text),),
    )
    return replace(
        view,
        policy=a_policy_of(view.policy, text),
        stage=a_stage_of(view.stage, text),
        release=a_release(text),
        source=a_judgement_of(view.source, text),
        candidate=a_judgement_of(view.candidate, text),
        running=a_judgement_of(view.running, text),
        reverted_why=text if view.reverted_why else None,
        circumstances=circumstances,
    )


def a_change_of(text: str) -> Change:
    return Change(file=text, path=text, line=3, old=text, new=text, at=0, was=text, now=text)


def a_move_of(stands: CommentView, text: str) -> MoveView:
    judgement = a_judgement_of(STATES["ready"]().source, text)
    assert judgement is not None
    commits = (
        SourceCommit(sha=sha("c1"), author=text, title=text),
        SourceCommit(sha=Sha(f"{text}'"), author=text, title=text),
    )
    move = a_move(standing=a_comment_of(stands, text), span=Span(commits=commits, total=9, is_forward=False))
    return replace(
        move,
        policy=a_policy_of(move.policy, text),
        source=a_stage_of(move.source, text),
        stage=a_stage_of(move.stage, text),
        release=a_release(text),
        replaces=a_release(text),
        changes=(a_change_of(text),),
        judgement=judgement,
        changelog=text,
        approvals=a_tally_of(stands.candidate.approvals if stands.candidate is not None else None, text),
    )


def a_revert_of(text: str) -> RevertView:
    view = a_revert()
    judgement = a_judgement_of(view.judgement, text)
    assert judgement is not None
    return replace(
        view,
        policy=a_policy_of(view.policy, text),
        stage=a_stage_of(view.stage, text),
        release=a_release(text),
        back_to=a_release(text),
        changes=(a_change_of(text),),
        judgement=judgement,
    )


STANDING: Mapping[str, CommentView] = {name: make() for name, make in STATES.items()}
