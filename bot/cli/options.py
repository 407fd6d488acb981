"""Options that several subcommands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The settings file.", envvar="LIFTLOCK_CONFIG", show_default=True)
]
