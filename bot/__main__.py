"""`python -m bot` and the command `liftlock`."""

from __future__ import annotations

from bot.cli.app import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
