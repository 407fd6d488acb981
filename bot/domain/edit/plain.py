"""Which texts may stand in YAML without quotes and are still text to every reader.

YAML 1.1 (PyYAML, libyaml's C users, Ruby), YAML 1.2's core schema, and Go's readers, which mix the two and serve
Kubernetes, Helm and kustomize, differ on what `on`, `0644`, `1:30`, `1e3` or `12e45678` are. A text that any of them
takes for something else is no plain text here; a few that none does are quoted as well, which harms nobody.
"""

from __future__ import annotations

import re

_NOT_TEXT = re.compile(
    r"""
    # nothing, null, booleans, the merge key and the default key
    | ~ | null | true | false | yes | no | on | off | y | n | << | =
    # other bases, with Go's hexadecimal floats
    | [-+]? 0 (?: x [0-9a-f_.]+ (?: p [-+]? [0-9_]+ )? | b [01_]+ | o [0-7_]+ )
    # decimals, octal-like, base 60 (times), and exponents with a sign or without
    | [-+]? [0-9][0-9_,]* (?: : [0-9]{1,2} )* (?: \. [0-9_]* )? (?: e [-+]? [0-9_]+ )?
    | [-+]? \. [0-9_.]* (?: e [-+]? [0-9_]+ )?
    | [-+]? \.? (?: inf | infinity | nan )
    # dates, with a time or without
    | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: [t\ ] .* )?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII | re.DOTALL,
)
_SAFE = re.compile(r"[A-Za-z0-9_./] (?: [A-Za-z0-9_./@+=-] | [:\ ] (?=[A-Za-z0-9_./]) )*", re.VERBOSE)
_SMALL_COUNT = re.compile(r"0|[1-9][0-9]{0,5}")


def is_text(value: str) -> bool:
    """Say whether every reader takes the unquoted `value` for text, and not for a number, a boolean, null or a date.

    Go takes underscores out wherever they stand before it tries numbers: `0_x1F` is 31 to it.
    """
    bare = value[:1] + value[1:].replace("_", "")
    return _NOT_TEXT.fullmatch(value) is None and _NOT_TEXT.fullmatch(bare) is None


def can_be_plain(value: str, *, in_flow: bool) -> bool:
    """Say whether `value` may be written without quotes. In `{…}` and `[…]`, older Go readers refuse a colon."""
    return _SAFE.fullmatch(value) is not None and is_text(value) and not (in_flow and ":" in value)


def reads_as_written(value: str) -> bool:
    """Say whether every reader, asked to show the unquoted `value`, shows these characters.

    True of text, and of whole numbers below a million: Helm prints `1234567` as `1.234567e+06`, `1.10` as `1.1`.
    """
    return is_text(value) or _SMALL_COUNT.fullmatch(value) is not None
