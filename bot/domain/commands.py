"""Commands in comments: what a person wrote to `/liftlock` → `Command`, or `Mistake` with what was expected.

A command is a line that GitHub shows as one: it begins, after at most three spaces, with `/liftlock` and a space, and
stands in a paragraph, not in a quote, code, or an HTML comment. Where blocks begin and end is asked of a CommonMark
parser; a doubtful line is no command. What a link's title or a tag's attribute holds is not told from text that shows:
its author wrote it all the same. Nothing here says who may command.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Literal

from markdown_it import MarkdownIt

from bot.domain.text import count_of, join_words, one_line

MOST_COMMANDS = 5
"""How many commands of one comment are read."""
LONGEST_BODY = 65_536
"""GitHub's own limit of a comment; what is beyond it is not read."""


class Verb(StrEnum):
    """The words that may follow `/liftlock`. `PROMOTE` is always the override of one gate."""

    STATUS = "status"
    EXPLAIN = "explain"
    HOLD = "hold"
    RESUME = "resume"
    APPROVE = "approve"
    PROMOTE = "promote"
    REJECT = "reject"
    ROLLBACK = "rollback"
    RETRY = "retry"
    LIFT = "lift"
    HELP = "help"


USAGE: Mapping[Verb, str] = {verb: f"/liftlock {verb}" for verb in Verb} | {
    Verb.HOLD: "/liftlock hold REASON",
    Verb.APPROVE: "/liftlock approve [SHA]",
    Verb.PROMOTE: "/liftlock promote --override GATE REASON",
    Verb.REJECT: "/liftlock reject REASON",
    Verb.ROLLBACK: "/liftlock rollback REASON",
    Verb.LIFT: "/liftlock lift REASON",
}
"""How each command is written."""

_WITH_REASON = frozenset({Verb.HOLD, Verb.REJECT, Verb.ROLLBACK, Verb.LIFT})
_MEANT: Mapping[str, Verb] = {
    "pause": Verb.HOLD,
    "stop": Verb.HOLD,
    "unhold": Verb.RESUME,
    "continue": Verb.RESUME,
    "lgtm": Verb.APPROVE,
    "merge": Verb.APPROVE,
    "override": Verb.PROMOTE,
    "deny": Verb.REJECT,
    "revert": Verb.ROLLBACK,
    "undo": Verb.ROLLBACK,
    "unquarantine": Verb.LIFT,
}
"""Words that other bots know, and that no spelling leads to ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What one line asks for. `line` is its place in the comment, from 0: with the comment's id it names the command.

    `reason` and `gate` are outside text of one line, empty where the verb takes none; `sha` are the 7 to 64 digits of a
    commit that an approval names, lower-case, None where it names none.
    """

    verb: Verb
    line: int
    reason: str = ""
    gate: str = ""
    sha: str | None = None
    kind: Literal["command"] = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A line that was meant as a command and is none: one sentence of what was found and what was expected."""

    sentence: str
    kind: Literal["mistake"] = "mistake"


def parse_comment(body: str) -> tuple[Command | Mistake, ...]:
    """Read the commands of a comment in their order; empty for a comment that speaks to people only.

    Beyond five, one mistake says how many were left out.
    """
    if "/liftlock" not in body:
        return ()
    # The parser does the same to line ends, and its line numbers must be ours.
    text = re.sub(r"\r\n?", "\n", body[:LONGEST_BODY])
    found = list(_spoken(text))
    read = [Mistake(sentence=_quoted(one)) if one.is_quoted else _read(one) for one in found[:MOST_COMMANDS]]
    if len(found) > MOST_COMMANDS:
        left = count_of(len(found) - MOST_COMMANDS, "more was", "more were")
        read.append(Mistake(sentence=f"At most {MOST_COMMANDS} commands of a comment are read, and {left} left out."))
    return tuple(read)


# --- Which lines are commands ----------------------------------------------------------------------------------------

_CALL = re.compile(r" {0,3}/liftlock(?=[ \t]|\Z)")
_HTML = r"(?P<html><!--|<blockquote\b|<pre\b)"
_OPENS_HTML = re.compile(_HTML, re.IGNORECASE | re.ASCII)
_OPENS = re.compile(rf"\\[\\`<]|(?P<ticks>`+)|{_HTML}", re.IGNORECASE | re.ASCII)
_ENDS = {
    "<!--": re.compile("-->"),
    "<blockquote": re.compile(r"</blockquote\b", re.IGNORECASE | re.ASCII),
    "<pre": re.compile(r"</pre\b", re.IGNORECASE | re.ASCII),
}
_DEEPEST = 10
"""How deep quotes and lists are followed. It bounds what a hostile body costs; what lies deeper is no command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spoken:
    """A line that begins as a command: its number, what follows `/liftlock`, and whether a quote goes on in it."""

    number: int
    rest: str
    is_quoted: bool


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).disable("inline")


def _spoken(text: str) -> Iterator[_Spoken]:
    """Find the lines that begin as commands in what people see as paragraphs."""
    lines = text.split("\n")
    quotes, ends = 0, None
    for token in _parser().parse(text):
        if token.type in {"blockquote_open", "blockquote_close"}:
            quotes += token.nesting
        elif token.type == "html_block":
            _, ends = _conceal(token.content, _OPENS_HTML, ends)
        elif token.type == "inline":
            first, last = token.map or (0, 0)
            shown, ends = _conceal("\n".join(lines[first:last]), _OPENS, ends)
            for number, line in enumerate(shown.split("\n"), first):
                if call := _CALL.match(line):
                    yield _Spoken(number=number, rest=lines[number][call.end() :].strip(" \t"), is_quoted=quotes > 0)


def _conceal(text: str, opens: re.Pattern[str], ends: re.Pattern[str] | None) -> tuple[str, re.Pattern[str] | None]:
    """Blank code spans and what HTML hides or quotes; return what ends the HTML that is still open, if any.

    HTML that nothing closes reaches on through the paragraphs behind it.
    """
    runs = _runs_of_ticks(text)
    shown: list[str] = []
    at = 0
    while True:
        if ends is not None:
            closing = ends.search(text, at)
            shown.append(_blank(text[at : closing.end() if closing else len(text)]))
            if closing is None:
                return "".join(shown), ends
            at, ends = closing.end(), None
        opening = opens.search(text, at)
        if opening is None:
            return "".join([*shown, text[at:]]), None
        groups = opening.groupdict()
        if groups["html"]:
            # `<!-->` is a comment of its own, so that its end may begin within its beginning.
            ends, end = _ENDS[groups["html"].lower()], opening.start() + 2
            shown.append(text[at:end])
        else:
            end = _end_of_code(opening, runs) if groups.get("ticks") else opening.end()
            shown.append(text[at : opening.end()] + _blank(text[opening.end() : end]))
        at = end


def _runs_of_ticks(text: str) -> dict[int, list[int]]:
    """Return where the runs of backticks end, by their length: a code span ends with a run as long as its first."""
    runs: dict[int, list[int]] = {}
    for run in re.finditer("`+", text):
        runs.setdefault(len(run[0]), []).append(run.end())
    return runs


def _end_of_code(opening: re.Match[str], runs: Mapping[int, Sequence[int]]) -> int:
    """Return where the code that this run begins is over: behind the run itself where none ends it."""
    ends = runs.get(len(opening["ticks"]), ())
    behind = bisect_left(ends, opening.end() + 1)
    return ends[behind] if behind < len(ends) else opening.end()


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", "\0", text)


# --- What they say ---------------------------------------------------------------------------------------------------

_SHA = re.compile(r"[0-9a-fA-F]{7,64}")
_LONGEST_WORD = 20
_QUOTES = ('"', "'")


def _read(spoken: _Spoken) -> Command | Mistake:
    """Read what follows `/liftlock`."""
    word, rest = _split(spoken.rest)
    verb = _verb(word)
    if verb is None:
        return Mistake(sentence=_unknown(word))
    if verb in _WITH_REASON:
        return _read_reason(verb, rest, spoken.number)
    if verb is Verb.APPROVE:
        return _read_approval(rest, spoken.number)
    if verb is Verb.PROMOTE:
        return _read_override(rest, spoken.number)
    if rest:
        found = _shown(rest)
        return Mistake(sentence=f"`{USAGE[verb]}` takes nothing after it, but {found} was found: write that elsewhere.")
    return Command(verb=verb, line=spoken.number)


def _verb(word: str) -> Verb | None:
    # Only ASCII: the lower case of a Kelvin sign is a k.
    return next((verb for verb in Verb if word.isascii() and word.lower() == verb), None)


def _read_reason(verb: Verb, rest: str, line: int) -> Command | Mistake:
    reason = _plain(rest)
    if not reason:
        return Mistake(sentence=f"`/liftlock {verb}` was found without a reason: `{USAGE[verb]}` was expected.")
    return Command(verb=verb, line=line, reason=reason)


def _read_approval(rest: str, line: int) -> Command | Mistake:
    if not rest:
        return Command(verb=Verb.APPROVE, line=line)
    if not _SHA.fullmatch(rest):
        usage = USAGE[Verb.APPROVE]
        expected = f"`{usage}` was expected, with 7 to 64 hexadecimal digits of a commit or nothing at all"
        return Mistake(sentence=f"{_shown(rest)} is no commit: {expected}.")
    return Command(verb=Verb.APPROVE, line=line, sha=rest.lower())


def _read_override(rest: str, line: int) -> Command | Mistake:
    usage = f"`{USAGE[Verb.PROMOTE]}` was expected"
    option, rest = _split(rest)
    if option != "--override":
        found = _shown(option) if option else "nothing"
        return Mistake(sentence=f"After `/liftlock promote`, {found} was found: {usage}.")
    gate, reason = _split_gate(rest)
    if gate is None or not _plain(gate):
        found = _shown(rest) if rest else "nothing"
        return Mistake(sentence=f"After `--override`, {found} was found, which names no gate: {usage}.")
    if not (plain := _plain(reason)):
        return Mistake(sentence=f"The override of the gate {_shown(gate)} was found without a reason: {usage}.")
    return Command(verb=Verb.PROMOTE, line=line, gate=gate, reason=plain)


def _split_gate(text: str) -> tuple[str | None, str]:
    """Split a gate's name from what follows; None for a quoted one whose quote does not end, or not with its word."""
    if not text.startswith(_QUOTES):
        return _split(text)
    name, quote, rest = text[1:].partition(text[0])
    if not quote or (rest and rest[0] not in " \t"):
        return None, ""
    return name, rest.strip(" \t")


def _split(text: str) -> tuple[str, str]:
    """Split the first word from the rest. Only spaces and tabs separate words."""
    word, *rest = re.split(r"[ \t]+", text, maxsplit=1)
    return word, "".join(rest)


# --- Sentences -------------------------------------------------------------------------------------------------------


def _unknown(word: str) -> str:
    if not word:
        return f"`/liftlock` stands alone: one of {_all_verbs()} was expected after it."
    if _plain(word) != word and len(word) <= _LONGEST_WORD:
        return f"The word {_shown(word)} has characters that cannot be seen: one of {_all_verbs()} was expected."
    meant = _MEANT.get(word.lower())
    near = [meant] if meant else get_close_matches(word[: _LONGEST_WORD + 1].lower(), list(Verb), n=1)
    if near:
        return f"{_shown(word)} is no command: perhaps `{USAGE[Verb(near[0])]}` was meant."
    return f"{_shown(word)} is no command: one of {_all_verbs()} was expected."


def _quoted(spoken: _Spoken) -> str:
    command = _plain(f"/liftlock {spoken.rest}")[:60]
    return f'"{command}" goes on with the quote above it and was not read: an empty line must stand before it.'


def _all_verbs() -> str:
    return join_words(tuple(Verb), "or")


def _shown(text: str) -> str:
    shown = one_line(_plain(text), limit=60)
    return f'"{shown}"'


def _plain(text: str) -> str:
    """Make it one line of at most 200 characters; again, since spaces may meet where something invisible was."""
    return one_line(one_line(text))
