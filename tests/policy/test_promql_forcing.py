"""Label matchers that no query evades: what is rewritten, what is refused, and laws that hold for any text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.queries import Query, joint_text, quote
from bot.domain.tenancy import Forced
from bot.policy.promql_forcing import NotForced, force
from tests.policy.a_rule import TEMPLATES

TEAM = Forced(name="team", value="shop")
SPACE = Forced(name="ns", value="a-.*", is_pattern=True)
BOTH = (TEAM, SPACE)
HAS = 'team="shop",ns=~"a-.*"'


def forced(text: str, matchers: Sequence[Forced] = BOTH) -> str:
    return force(Query.plain(text), matchers).text


def refusal(text: str) -> str:
    with pytest.raises(NotForced) as refused:
        force(Query.plain(text), BOTH)
    return refused.value.reason


# --- what becomes of a query ---


@pytest.mark.parametrize(
    ("query", "becomes"),
    [
        ("up", f"up{{{HAS}}}"),
        ("up{}", f"up{{{HAS}}}"),
        ('up{a="b",}', f'up{{{HAS},a="b"}}'),
        ('{__name__=~"a|b"}', f'{{{HAS},__name__=~"a|b"}}'),
        (":a:b", f":a:b{{{HAS}}}"),
        ('up { a = "b" , c!~ "d" }', f'up {{{HAS},a="b",c!~"d"}}'),
        ("a or b unless c", f"a{{{HAS}}} or b{{{HAS}}} unless c{{{HAS}}}"),
        ("sum by (job) (up)", f"sum by (job) (up{{{HAS}}})"),
        ("SUM(up) WITHOUT (job)", f"SUM(up{{{HAS}}}) WITHOUT (job)"),
        ("a / on (x, by) group_left b", f"a{{{HAS}}} / on (x, by) group_left b{{{HAS}}}"),
        ("a * ignoring () group_right (y) b", f"a{{{HAS}}} * ignoring () group_right (y) b{{{HAS}}}"),
        ("rate(a[5m] offset -1h)", f"rate(a{{{HAS}}}[5m] offset -1h)"),
        ("a @ start() offset 5m", f"a{{{HAS}}} @ start() offset 5m"),
        ("max_over_time(rate(a[5m])[1h:1m] @ end())", f"max_over_time(rate(a{{{HAS}}}[5m])[1h:1m] @ end())"),
        ("absent(a)", f"absent(a{{{HAS}}})"),
        ("topk(scalar(a), b)", f"topk(scalar(a{{{HAS}}}), b{{{HAS}}})"),
        ('count_values("team", a)', f'count_values("team", a{{{HAS}}})'),
        (
            'label_replace(a, "team", "shop", "", "")',
            f'label_replace(a{{{HAS}}}, "team", "shop", "", "")',
        ),
        ("1 + Inf - NaN * 0x1f + 1e-3", "1 + Inf - NaN * 0x1f + 1e-3"),
        ("time() - 5", "time() - 5"),
        ("vector(1)", "vector(1)"),
        ("a == bool 1", f"a{{{HAS}}} == bool 1"),
        ("-(a ^ 2)", f"-(a{{{HAS}}} ^ 2)"),
        ('"a text"', '"a text"'),
    ],
)
def test_every_selector_gets_the_matchers_and_nothing_else_changes(query: str, becomes: str) -> None:
    assert forced(query) == becomes


def test_words_of_the_language_that_name_series_are_series() -> None:
    assert forced("sum + group") == f"sum{{{HAS}}} + group{{{HAS}}}"
    assert forced('sum{a="b"}') == f'sum{{{HAS},a="b"}}'
    assert forced("offset{}") == f"offset{{{HAS}}}"
    # Bare, it cannot be told from the modifier by its text, so the two witnesses differ.
    assert refusal("offset") == "is understood in two ways"


def test_quoted_names_as_prometheus_3_has_them_keep_their_quotes() -> None:
    assert forced('{"http.requests", "a label"="1"}') == f'{{{HAS},"http.requests","a label"="1"}}'


def test_a_policy_that_says_otherwise_selects_nothing_since_both_matchers_stand() -> None:
    assert forced('up{team="other"}') == f'up{{{HAS},team="other"}}'
    assert forced('up{team!="shop",ns=~".*"}') == f'up{{{HAS},team!="shop",ns=~".*"}}'


def test_comments_are_left_out_since_a_part_of_the_query_could_hide_behind_them() -> None:
    assert forced("a # } or b\n or c #") == f"a{{{HAS}}} or c{{{HAS}}} "


def test_raw_strings_are_quoted_since_not_all_servers_end_them_in_the_same_place() -> None:
    assert forced('label_replace(a, "b", `c"\n`, "d", "")') == (f'label_replace(a{{{HAS}}}, "b", "c\\"\\n", "d", "")')


def test_without_matchers_a_query_is_only_looked_at() -> None:
    assert forced('up{a="b"}', ()) == 'up{a="b"}'
    with pytest.raises(NotForced):
        forced("up{", ())


# --- what is refused ---


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ('up{a="b" or c="d"}', "has something else than matchers in braces"),
        ("up{a}", "has something else than matchers in braces"),
        ('up{a+"b"}', "has something else than matchers in braces"),
        ('up{a="b" c="d"}', "has something else than matchers in braces"),
        ("up{,}", "has a comma too many in braces"),
        ('up{a="b",,}', "has a comma too many in braces"),
        ('up{a="b"', "ends too early"),
        ("sum by (a", "ends too early"),
        ("sum by (a{}) (up)", "has a list of labels with something else in it"),
        ("up}", "has label matchers outside of braces"),
        ("info(up)", "calls info(), which reads series that no selector names"),
        ('info(up, {job="x"})', "calls info(), which reads series that no selector names"),
        ("a;b", "goes wrong at character 2"),
        ("a\u00a0or b", "goes wrong at character 2"),
        ('up{a="b}', "goes wrong at character 6"),
        ("up[5m", "goes wrong at character 3"),
        ("a default b", "is no PromQL: invalid promql query"),
        ("WITH (a = b) a", "is no PromQL: invalid promql query"),
        ("union(a, b)", "is no PromQL: unknown function with name 'union'"),
        ("", "is no PromQL: no expression found in input"),
        ("(" * 130 + "a" + ")" * 130, "has too many words, brackets and operators to be read"),
        (f"a{' unless a' * 251}", "has too many words, brackets and operators to be read"),
        (f"a{' and a' * 6000}", "has too many words, brackets and operators to be read"),
        (f'a{{b="{"c" * 16_384}"}}', "has too many words, brackets and operators to be read"),
        ("a\x00", "has a character that no query has"),
    ],
)
def test_what_is_not_understood_is_not_sent(query: str, reason: str) -> None:
    assert refusal(query) == reason


def test_a_query_that_is_too_deep_for_what_is_left_of_the_stack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(query: str) -> None:
        raise RecursionError(query)

    monkeypatch.setattr(promql_parser, "parse", parse)
    assert refusal("up") == "is too deep to be read"


@pytest.mark.parametrize(
    "text",
    ["label_replace(up, 'a', '\x00', '', '')", "up{a='\x00'}", "up \x00", "sum by (\x00) (up)", "up # \x00\n"],
    ids=["in a text", "in a value", "outside", "in a list", "in a comment"],
)
def test_the_place_of_a_stage_s_labels_is_between_braces_and_nowhere_else(text: str) -> None:
    """A label's value could else end a text of the query, and begin a selector of its own."""
    hostile = (("x", "'} or secret or up{a='"),)
    with pytest.raises(NotForced):
        force(Query(parts=tuple(text.split("\x00")), labels=hostile), BOTH)


def test_a_part_of_the_language_that_the_parser_learns_later_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promql_parser, "parse", lambda _: object())
    assert refusal("up") == "has a part that is not known: object"


def test_an_or_that_only_the_parser_sees_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = promql_parser.parse
    monkeypatch.setattr(promql_parser, "parse", lambda _: parse('up{a="b" or c="d"}'))
    assert refusal("up") == "has an or in braces"


# --- with places ---


def test_many_stages_are_still_asked_for_together() -> None:
    parts = ("sum by (job) (a{", '}) / b{c!="",', "}")
    one, two = (force(Query(parts=parts, labels=(("job", job),), is_shared=True), BOTH) for job in ("x", 'y"}'))
    assert one.shape == two.shape
    assert one.text == f'sum by (job) (a{{{HAS},job="x"}}) / b{{{HAS},c!="",job="x"}}'
    assert joint_text([one, two]) == (
        f'sum by (job) (a{{{HAS},job=~"x|y\\"\\\\}}"}}) / b{{{HAS},c!="",job=~"x|y\\"\\\\}}"}}'
    )


def test_two_tenants_are_never_asked_for_together() -> None:
    query = Query(parts=("sum by (job) (a{", "})"), labels=(("job", "x"),), is_shared=True)
    assert force(query, (TEAM,)).shape != force(query, (replace(TEAM, value="search"),)).shape


def test_the_labels_of_a_stage_that_are_forced_anyway_are_there_once_more() -> None:
    query = Query(parts=("a{", "}"), labels=(("team", "shop"),))
    assert force(query, (TEAM,)).text == 'a{team="shop",team="shop"}'


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_template_can_be_forced(name: str) -> None:
    template = TEMPLATES[name]
    words = {"tile": "1m", "query": "(max by ($key) (x{$selector})\n)", "called": '"x"'}
    for parameter in template.parameters:
        for form in parameter.forms:
            kind = "bucket" if "_bucket" in form else parameter.type
            words.setdefault(form, {"text": '"x"', "bucket": 'le="1"', "duration": "0.5"}.get(kind, "m"))
    for text in (template.query, template.total, template.buckets, template.alive):
        if text is not None:
            query = template.fill(text, words, (("job", "x"), ("pod", "y")), is_count=True)
            check(query.text, force(query, BOTH).text)


# --- laws ---


def debugged(text: str) -> str:
    """Return all that the parser sees of a query, without white space; of labels in quotes, too."""
    return re.sub(r"\s+", "", repr(promql_parser.parse(text)))


def check(before: str, after: str) -> None:
    """Check, by what the parser prints, that all selectors have the matchers and all else is as it was."""
    was, found = debugged(before), debugged(after)
    selectors = found.count("VectorSelector{name:")
    assert selectors == was.count("VectorSelector{name:")
    # One parser's word for all selectors: two for each of a range and one for each of an instant begin with this.
    for mark in (
        'Matcher{op:Equal,name:"team",value:"shop",},',
        'Matcher{op:Re(Regex("^(?:a-.*)$",),),name:"ns",value:"a-.*",},',
    ):
        begins = re.findall(
            r"VectorSelector\{name:(?:None|Some\(\"(?:[^\"\\]|\\.)*\",\)),matchers:Matchers\{matchers:\[(.*?)\],or_matchers:\[\]",
            found,
        )
        assert len(begins) == selectors
        assert all(mark in has for has in begins)
        was, found = was.replace(mark, ""), found.replace(mark, "")
    assert found == was


LABELS = st.sampled_from(["a", "team", "ns", "__name__", "le"])
VALUES = st.sampled_from(
    ['"x"', "'y'", "`z`", '"shop"', '"a-.*"', '"}"', "'{'", '"\\""', '" or b{c=\\"d\\"}"', "`\\d`"]
)
NAMES = st.sampled_from(["a", "b:c", "sum", "up", "rate", "by", "start", "and_more"])


@st.composite
def selectors(draw: st.DrawFn) -> str:
    matchers = draw(st.lists(st.tuples(LABELS, st.sampled_from(["=", "!=", "=~", "!~"]), VALUES), max_size=3))
    inside = draw(st.sampled_from([",", " , "])).join("".join(one) for one in matchers)
    name = draw(NAMES)
    return (
        name if not matchers and name in ("a", "b:c", "up") else f"{name}{{{inside}{draw(st.sampled_from(['', ' ']))}}}"
    )


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    ranged = st.builds("{}[{}]".format, selectors(), st.sampled_from(["5m", "1h30m", "10s"]))
    sub = st.builds("({})[{}]".format, inner, st.sampled_from(["5m:", "1h:1m"]))
    later = st.sampled_from(["", " offset 5m", " @ 10", " @ end() offset -1h"])
    operators = [
        "+",
        "/",
        "and",
        "or",
        "unless",
        "== bool",
        ">",
        "* on (a) group_left",
        "- ignoring(by,a) group_right (c)",
    ]
    return st.one_of(
        st.builds(
            "{}({}{})".format, st.sampled_from(["rate", "absent_over_time", "last_over_time"]), ranged | sub, later
        ),
        st.builds(
            "{}{}({})".format,
            st.sampled_from(["sum", "max", "GROUP"]),
            st.sampled_from(["", " by (a, sum) ", " without()"]),
            inner,
        ),
        st.builds("{}({}) by (on)".format, st.sampled_from(["count", "avg"]), inner),
        st.builds("topk({}, {})".format, st.builds("scalar({})".format, inner) | st.just("3"), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(operators), inner),
        st.builds("-{}".format, inner),
        st.builds('label_replace({}, "team", {}, "a", "(.*)")'.format, inner, VALUES),
        st.builds("{} # {}\n".format, inner, st.sampled_from(["}", '"', "x{"])),
        st.builds("absent({})".format, inner),
    )


QUERIES = st.recursive(
    selectors() | st.builds("{}{}".format, selectors(), st.sampled_from([" offset 1m", " @ 5"])), larger, max_leaves=6
)


@given(QUERIES)
def test_whatever_a_query_is_its_selectors_have_the_matchers_and_the_rest_is_unchanged(query: str) -> None:
    try:
        promql_parser.parse(query)
    except ValueError:
        refusal(query)
        return
    after = forced(query)
    check(query, after)
    assert forced(after) == after


WORDS = "a b sum by on offset or bool start info rate { } ( ) [5m] [1h:] , = =~ != + - @ 5m 1 team é :".split()  # noqa: SIM905
TOKENS = st.sampled_from([*WORDS, '"x"', "'", '"', "`", "\\", "#", "\n", " ", '="shop"', "\x00"])


@given(st.lists(TOKENS, max_size=14).map("".join) | st.text(max_size=20))
def test_no_text_at_all_is_sent_without_the_matchers(text: str) -> None:
    query = Query(parts=tuple(text.split("\x00")), labels=(("x", "'} or secret{y='"), ("z", '"} or secret')))
    try:
        found = force(query, BOTH)
    except NotForced:
        return
    check(query.text, found.text)
    assert force(found, BOTH).text == found.text


@given(QUERIES, st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10))
def test_any_forced_value_is_quoted(query: str, value: str) -> None:
    try:
        promql_parser.parse(query)
    except ValueError:
        return
    found = forced(query, (Forced(name="owner", value=value),))
    assert len(re.findall(re.escape(f"owner={quote(value)}"), found)) >= 1
    promql_parser.parse(found)
