"""Edits of other people's files, text to text: exactly the intended value's bytes change, or the edit is refused.

`read_tag` and `write_tag` serve the bot; `locate` and `replace_scalars` are the general core, for any path and value.
A value with an anchor (`&x`) may be edited: its path names the anchor itself, and its aliases follow it. An alias
(`*x`) is refused.
"""

from bot.domain.edit.locate import Scalar, Style, locate
from bot.domain.edit.path import EntryWhere, Step, parse_path, render_path
from bot.domain.edit.refusal import EditRefused
from bot.domain.edit.replace import replace_scalars
from bot.domain.edit.stream import Reading
from bot.domain.edit.tag import read_tag, write_tag

__all__ = [
    "EditRefused",
    "EntryWhere",
    "Reading",
    "Scalar",
    "Step",
    "Style",
    "locate",
    "parse_path",
    "read_tag",
    "render_path",
    "replace_scalars",
    "write_tag",
]
