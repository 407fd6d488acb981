"""Commands in comments: what people see as a line of their own is read, and nothing that is quoted, code or hidden."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.domain.commands import LONGEST_BODY, MOST_COMMANDS, USAGE, Command, Mistake, Verb, parse_comment
from bot.domain.text import one_line

QUESTION = "/liftlock status"


def verbs(body: str) -> list[str]:
    return [one.verb.value if isinstance(one, Command) else "mistake" for one in parse_comment(body)]


def the_mistake(body: str) -> str:
    (found,) = parse_comment(body)
    assert isinstance(found, Mistake)
    return found.sentence


# --- What is a command -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("/liftlock status", Command(verb=Verb.STATUS, line=0)),
        ("/liftlock explain", Command(verb=Verb.EXPLAIN, line=0)),
        ("/liftlock hold the launch is on Monday", Command(verb=Verb.HOLD, line=0, reason="the launch is on Monday")),
        ("/liftlock resume", Command(verb=Verb.RESUME, line=0)),
        ("/liftlock approve", Command(verb=Verb.APPROVE, line=0)),
        ("/liftlock approve 0123ABC", Command(verb=Verb.APPROVE, line=0, sha="0123abc")),
        (f"/liftlock approve {'a' * 64}", Command(verb=Verb.APPROVE, line=0, sha="a" * 64)),
        (
            "/liftlock promote --override http-errors known noise",
            Command(verb=Verb.PROMOTE, line=0, gate="http-errors", reason="known noise"),
        ),
        (
            '/liftlock promote --override "Argo CD" it is slow',
            Command(verb=Verb.PROMOTE, line=0, gate="Argo CD", reason="it is slow"),
        ),
        (
            "/liftlock promote --override  'the \"old\" one'\tit is slow",
            Command(verb=Verb.PROMOTE, line=0, gate='the "old" one', reason="it is slow"),
        ),
        ("/liftlock reject wrong prices", Command(verb=Verb.REJECT, line=0, reason="wrong prices")),
        ("/liftlock rollback wrong prices", Command(verb=Verb.ROLLBACK, line=0, reason="wrong prices")),
        ("/liftlock retry", Command(verb=Verb.RETRY, line=0)),
        ("/liftlock help", Command(verb=Verb.HELP, line=0)),
        ("/liftlock StaTus", Command(verb=Verb.STATUS, line=0)),
        ("   /liftlock \t status \t ", Command(verb=Verb.STATUS, line=0)),
        ("/liftlock hold  two   spaces", Command(verb=Verb.HOLD, line=0, reason="two spaces")),
        ("/liftlock hold Grüße an @ops 🚢", Command(verb=Verb.HOLD, line=0, reason="Grüße an @ops 🚢")),
        ("/liftlock hold a \u200b\u202e b", Command(verb=Verb.HOLD, line=0, reason="a b")),
    ],
)
def test_each_command_is_read(line: str, meant: Command) -> None:
    assert parse_comment(line) == (meant,)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("Hello\n\n/liftlock status", id="a paragraph of its own"),
        pytest.param("Hello\n/liftlock status\nbye", id="a line of a paragraph"),
        pytest.param("Hello\r\n/liftlock status\r\n", id="CRLF"),
        pytest.param("Hello\r/liftlock status\r", id="CR"),
        pytest.param("> what?\n\n/liftlock status", id="behind a quote and an empty line"),
        pytest.param("```\ncode\n```\n/liftlock status", id="behind a closed fence"),
        pytest.param("~~~~\n~~~\n~~~~~\n/liftlock status", id="behind a longer closing fence"),
        pytest.param("<!-- note -->\n\n/liftlock status", id="behind a comment"),
        pytest.param("a <!-- b\nc --> d\n/liftlock status", id="behind a comment in a paragraph"),
        pytest.param("a <!--> b\n/liftlock status", id="behind the shortest comment"),
        pytest.param("<div><!-- a\n\n--> b\n\n/liftlock status", id="behind a comment that ends in another paragraph"),
        pytest.param("a `b\nc` d\n/liftlock status", id="behind code in a paragraph"),
        pytest.param("a ``b` c\n/liftlock status", id="behind backticks that nothing closes"),
        pytest.param("a \\`b\n/liftlock status\nc`", id="behind an escaped backtick"),
        pytest.param("a \\<!-- b\n/liftlock status\n-->", id="behind an escaped comment"),
        pytest.param("`<!--` begins a comment\n/liftlock status", id="behind the code of a comment"),
        pytest.param("a <pre>b</pre>\n/liftlock status", id="behind preformatted text"),
        pytest.param("<div>\n<pre>\n</pre>\n</div>\n\n/liftlock status", id="behind closed HTML"),
        pytest.param("/liftlock status\n---\nDana", id="above a line that makes it a heading"),
        pytest.param("- done\n  /liftlock status", id="in a list"),
        pytest.param("- done\n/liftlock status", id="going on with a list"),
        pytest.param("<details>\n\n/liftlock status\n\n</details>", id="in details"),
        pytest.param("[a]: https://example.com\n/liftlock status", id="behind a link's definition"),
    ],
)
def test_a_line_of_its_own_is_a_command(body: str) -> None:
    assert verbs(body) == ["status"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("See /liftlock status", id="in a line"),
        pytest.param("/liftlockstatus", id="no space"),
        pytest.param("/liftlock-bot status", id="another name"),
        pytest.param("/liftlock/config status", id="a path"),
        pytest.param("/Liftlock status", id="another case"),
        pytest.param("/liftlock\u00a0status", id="a space that does not break"),
        pytest.param("\u2215liftlock status", id="a division slash"),
        pytest.param("\uff0fliftlock status", id="a full-width slash"),
        pytest.param("\u200b/liftlock status", id="a zero-width space before it"),
        pytest.param("\u202e/liftlock status", id="a bidi override before it"),
        pytest.param("\ufeff/liftlock status", id="a byte order mark before it"),
        pytest.param("\0/liftlock status", id="a NUL before it"),
        pytest.param("/lift\u200block status", id="a zero-width space in it"),
        pytest.param("/lіftlock status", id="a Cyrillic letter in it"),
        pytest.param("a\u2028/liftlock status", id="behind a line separator"),
        pytest.param("a\x0b/liftlock status", id="behind a vertical tab"),
        pytest.param("- /liftlock status", id="an item of a list"),
        pytest.param("# /liftlock status", id="a heading"),
        pytest.param("**/liftlock status**", id="emphasis"),
        pytest.param("> /liftlock status", id="a quote"),
        pytest.param(">/liftlock status", id="a quote without a space"),
        pytest.param("- > /liftlock status", id="a quote in a list"),
        pytest.param("    /liftlock status", id="indented code"),
        pytest.param("\t/liftlock status", id="code indented by a tab"),
        pytest.param("a\n\n    /liftlock status", id="indented code behind an empty line"),
        pytest.param("a\n    /liftlock status", id="four spaces in a paragraph"),
        pytest.param("a\n\t/liftlock status", id="a tab in a paragraph"),
        pytest.param("```\n/liftlock status\n```", id="a fence"),
        pytest.param("```sh\n/liftlock status", id="a fence that nothing closes"),
        pytest.param("~~~\n```\n/liftlock status\n~~~", id="a fence of tildes"),
        pytest.param("`````\n```\n/liftlock status\n`````", id="a shorter fence in a fence"),
        pytest.param("- ```\n  /liftlock status\n  ```", id="a fence in a list"),
        pytest.param("   ```\n   /liftlock status\n   ```", id="an indented fence"),
        pytest.param("`/liftlock status`", id="inline code"),
        pytest.param("a `b\n/liftlock status\nc` d", id="inline code of several lines"),
        pytest.param("a ``b ` c\n/liftlock status\nd`` e", id="inline code of two backticks"),
        pytest.param("<!-- /liftlock status -->", id="a comment"),
        pytest.param("<!--\n/liftlock status\n\n/liftlock status\n-->", id="a comment of several lines"),
        pytest.param("a <!-- b\n/liftlock status\nc -->", id="a comment in a paragraph"),
        pytest.param("a <!-- b\n\n/liftlock status\n\n-->", id="a comment over paragraphs"),
        pytest.param("a <!-- b\n\n/liftlock status", id="a comment that nothing closes"),
        pytest.param("<div><!-- a\n\n/liftlock status\n\n-->", id="a comment in HTML"),
        pytest.param("<pre>\n/liftlock status\n\n/liftlock status\n</pre>", id="preformatted text"),
        pytest.param("a <PRE>\n\n/liftlock status\n\n</PRE>", id="preformatted text over paragraphs"),
        pytest.param("<blockquote>\n\n/liftlock status\n\n</blockquote>", id="a quote in HTML"),
        pytest.param("<div>\n/liftlock status\n</div>", id="a block of HTML"),
        pytest.param("[a]: /url '\n/liftlock status\n'", id="the title of a link's definition"),
        pytest.param(f"{'- ' * 12}a\n/liftlock status", id="deep in lists"),
    ],
)
def test_what_is_quoted_code_hidden_or_alike_is_no_command(body: str) -> None:
    assert parse_comment(body) == ()


def test_a_line_that_goes_on_with_a_quote_is_told_how_to_leave_it() -> None:
    assert the_mistake("> Shall I?\n/liftlock approve") == (
        '"/liftlock approve" goes on with the quote above it and was not read: an empty line must stand before it.'
    )


def test_a_command_knows_its_line() -> None:
    found = parse_comment("Hello\r\n\r\n/liftlock hold a\r\n- b\r\n/liftlock resume")
    assert found == (Command(verb=Verb.HOLD, line=2, reason="a"), Command(verb=Verb.RESUME, line=4))


def test_code_and_comments_may_stand_in_a_reason() -> None:
    assert parse_comment("/liftlock hold `x` <!-- y -->") == (Command(verb=Verb.HOLD, line=0, reason="`x` <!-- y -->"),)


def test_a_reason_is_cut_at_200_characters() -> None:
    (found,) = parse_comment(f"/liftlock hold {'a' * 5_000}")
    assert isinstance(found, Command)
    assert found.reason == "a" * 199 + "…"


def test_five_commands_are_read_and_the_rest_is_one_mistake() -> None:
    assert verbs("/liftlock status\n" * 5) == ["status"] * 5
    six, eight = parse_comment("/liftlock status\n" * 6), parse_comment("/liftlock status\n" * 8)
    assert len(six) == len(eight) == MOST_COMMANDS + 1
    assert six[-1] == Mistake(sentence="At most 5 commands of a comment are read, and 1 more was left out.")
    assert eight[-1] == Mistake(sentence="At most 5 commands of a comment are read, and 3 more were left out.")


def test_what_lies_beyond_the_longest_body_is_not_read() -> None:
    padding = "\n" * (LONGEST_BODY - len(QUESTION))
    assert verbs(padding + QUESTION) == ["status"]
    assert verbs(padding + "\n" * len(QUESTION) + QUESTION) == []


@pytest.mark.parametrize(
    "unit",
    ["`\n", "``` \n", "<!--\n", "> a\n", "- a\n", "[a\n", "\\`<pre>", "` `` ", "/liftlock hold `\n", "/liftlock \0x\n"],
)
def test_a_huge_hostile_body_is_read_to_its_end(unit: str) -> None:
    body = f"{QUESTION}\n\n{unit * (LONGEST_BODY // len(unit))}"
    assert verbs(body)[0] == "status"
    assert len(verbs(body)) <= MOST_COMMANDS + 1


# --- What is a mistake -----------------------------------------------------------------------------------------------

ALL = "status, explain, hold, resume, approve, promote, reject, rollback, retry, lift or help"
APPROVAL = "`/liftlock approve [SHA]` was expected, with 7 to 64 hexadecimal digits of a commit or nothing at all."
OVERRIDE = "`/liftlock promote --override GATE REASON` was expected."


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/liftlock", f"`/liftlock` stands alone: one of {ALL} was expected after it."),
        ("/liftlock  ", f"`/liftlock` stands alone: one of {ALL} was expected after it."),
        ("/liftlock aprove", '"aprove" is no command: perhaps `/liftlock approve [SHA]` was meant.'),
        ("/liftlock PROMTE", '"PROMTE" is no command: perhaps `/liftlock promote --override GATE REASON` was meant.'),
        ("/liftlock LGTM", '"LGTM" is no command: perhaps `/liftlock approve [SHA]` was meant.'),
        ("/liftlock revert x", '"revert" is no command: perhaps `/liftlock rollback REASON` was meant.'),
        ("/liftlock xyz", f'"xyz" is no command: one of {ALL} was expected.'),
        (f"/liftlock {'x' * 99}", f'"{"x" * 59}…" is no command: one of {ALL} was expected.'),
        ("/liftlock rollbac\u212a x", '"rollbac\u212a" is no command: perhaps `/liftlock rollback REASON` was meant.'),
        (
            "/liftlock approve\u200b",
            f'The word "approve" has characters that cannot be seen: one of {ALL} was expected.',
        ),
        ("/liftlock hold", "`/liftlock hold` was found without a reason: `/liftlock hold REASON` was expected."),
        ("/liftlock reject", "`/liftlock reject` was found without a reason: `/liftlock reject REASON` was expected."),
        (
            "/liftlock rollback \u200b",
            "`/liftlock rollback` was found without a reason: `/liftlock rollback REASON` was expected.",
        ),
        (
            "/liftlock resume thanks",
            '`/liftlock resume` takes nothing after it, but "thanks" was found: write that elsewhere.',
        ),
        (
            "/liftlock approve looks good",
            f'"looks good" is no commit: {APPROVAL}',
        ),
        ("/liftlock promote", f"After `/liftlock promote`, nothing was found: {OVERRIDE}"),
        ("/liftlock promote now", f'After `/liftlock promote`, "now" was found: {OVERRIDE}'),
        ("/liftlock promote --overrid x y", f'After `/liftlock promote`, "--overrid" was found: {OVERRIDE}'),
        (
            "/liftlock promote --override",
            f"After `--override`, nothing was found, which names no gate: {OVERRIDE}",
        ),
        (
            '/liftlock promote --override "Argo CD is slow',
            f'After `--override`, ""Argo CD is slow" was found, which names no gate: {OVERRIDE}',
        ),
        (
            "/liftlock promote --override 'a'b c",
            f"After `--override`, \"'a'b c\" was found, which names no gate: {OVERRIDE}",
        ),
        (
            '/liftlock promote --override "" c',
            f'After `--override`, """ c" was found, which names no gate: {OVERRIDE}',
        ),
        (
            "/liftlock promote --override http-errors",
            f'The override of the gate "http-errors" was found without a reason: {OVERRIDE}',
        ),
        (
            "/liftlock promote --override 'http errors'",
            f'The override of the gate "http errors" was found without a reason: {OVERRIDE}',
        ),
    ],
)
def test_a_mistake_says_what_was_found_and_what_was_expected(line: str, says: str) -> None:
    assert the_mistake(line) == says


@pytest.mark.parametrize("digits", ["abc123", "g123456", "a" * 65, "0123abc\u0660", "0123abc x", "-0123abc"])
def test_only_7_to_64_hexadecimal_digits_name_a_commit(digits: str) -> None:
    assert "is no commit" in the_mistake(f"/liftlock approve {digits}")


def test_every_verb_has_a_usage() -> None:
    assert list(USAGE) == list(Verb)
    assert all(usage.startswith(f"/liftlock {verb}") for verb, usage in USAGE.items())


# --- Laws ------------------------------------------------------------------------------------------------------------

reasons = st.text(min_size=1).map(one_line).map(one_line).filter(bool)
gates = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=30).filter(
    lambda name: '"' not in name and bool(name.strip())
)
commands = st.one_of(
    st.sampled_from([Verb.STATUS, Verb.EXPLAIN, Verb.RESUME, Verb.RETRY, Verb.HELP]).map(
        lambda verb: Command(verb=verb, line=0)
    ),
    st.builds(
        lambda verb, reason: Command(verb=verb, line=0, reason=reason),
        st.sampled_from([Verb.HOLD, Verb.REJECT, Verb.ROLLBACK]),
        reasons,
    ),
    st.from_regex(r"[0-9a-f]{7,64}", fullmatch=True).map(lambda sha: Command(verb=Verb.APPROVE, line=0, sha=sha)),
    st.builds(lambda gate, reason: Command(verb=Verb.PROMOTE, line=0, gate=gate, reason=reason), gates, reasons),
)
LINES = (
    *("", "a", "> a", "- a", "  b", "    c", "\t", "`", "``", "```", "~~~", "~~~~", "<!--", "-->", "a <!-- b", "<div>"),
    *("</div>", "<pre>", "</pre>", "<blockquote>", "</blockquote>", "---", "===", "# a", "\\`", "1. a", "[a]: b", "'"),
    *("/liftlock status", " /liftlock status", "    /liftlock status", "`/liftlock status", "/liftlock status `"),
)
bodies = st.lists(st.sampled_from(LINES), max_size=14).map("\n".join)


def written(command: Command) -> str:
    words = ["/liftlock", command.verb.value]
    if command.verb is Verb.PROMOTE:
        words += ["--override", f'"{command.gate}"']
    return " ".join([*words, *filter(None, [command.sha, command.reason])])


@given(commands)
def test_what_is_written_is_read_back(command: Command) -> None:
    assert parse_comment(written(command)) == (command,)


@given(st.text())
@example("/liftlock \ud800")
def test_no_body_breaks_the_parser(body: str) -> None:
    for text in (body, f"/liftlock {body}", f"/liftlock hold {body}", f"/liftlock promote --override {body}"):
        for found in parse_comment(text):
            line = found.sentence if isinstance(found, Mistake) else found.reason
            assert one_line(line, limit=1_000) == line


@given(bodies)
def test_line_ends_of_any_kind_read_the_same(body: str) -> None:
    assert parse_comment(body.replace("\n", "\r\n")) == parse_comment(body) == parse_comment(body.replace("\n", "\r"))


@given(bodies)
def test_nothing_is_read_from_a_quote_of_a_comment(body: str) -> None:
    quote = "".join(f"> {line}\n" for line in body.split("\n"))
    assert parse_comment(quote) == ()


@given(bodies)
def test_nothing_is_read_from_a_fence_that_is_longer_than_any_in_it(body: str) -> None:
    assert parse_comment(f"~~~~~\n{body}\n~~~~~") == ()


@given(bodies)
@example("a ``\n`\n``\n/liftlock status")
def test_a_command_is_a_line_that_a_markdown_renderer_shows_as_text(body: str) -> None:
    """Whole documents are rendered by an inline parser, which the code under test does not use."""
    shown = 0
    for block in MarkdownIt("commonmark").parse(body):
        pieces = [(child.type, child.content) for child in block.children or ()]
        for number, (kind, content) in enumerate(pieces):
            begins = number == 0 or pieces[number - 1][0] in {"softbreak", "hardbreak"}
            shown += begins and kind == "text" and content.startswith("/liftlock status")
    assert len([verb for verb in verbs(body) if verb == "status"]) <= shown
