"""Make outside text fit for a sentence that people read: no secrets, one printable line, bounded length.

Enters: what git or GitHub answered. Leaves: text for an error's sentence. It knows secrets by their shape, so it is the
last net, not the first: nobody may put a secret into a message and rely on it.
"""

from __future__ import annotations

import re

_STRUCK = "***"
_LONGEST = 300
_PATTERNS = (
    # A private key, even where its end was cut off.
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    # GitHub's tokens; newer installation tokens carry dots and dashes.
    re.compile(r"\b(?:gh[pousr]_|github_pat_)[\w.\-]{4,}"),
    re.compile(r"\beyJ[\w\-]{5,}\.[\w\-]+(?:\.[\w\-]*)?"),
    re.compile(r"(?<=://)[^/@\s]+(?=@)"),
    re.compile(r"(?<=authorization: )(?:\w+ )?\S+", re.IGNORECASE),
    re.compile(r"(?<=basic )[A-Za-z0-9+/=]{8,}|(?<=bearer )[\w.~+/=\-]{8,}", re.IGNORECASE),
)


def scrub(text: str) -> str:
    """Strike everything that looks like a token, a JSON web token, a private key or a password in a URL."""
    for pattern in _PATTERNS:
        text = pattern.sub(_STRUCK, text)
    return text


def as_sentence(text: str, *, longest: int = _LONGEST) -> str:
    """Return the text scrubbed, on one line, without control, bidirectional and invisible characters, and cut.

    Secrets are struck before the cut, since half a token would no longer be known as one.
    """
    visible = "".join(c if c.isprintable() else " " for c in scrub(text))
    line = " ".join(visible.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
