"""Verdicts and decisions as text: Markdown for pull requests, plain text for commits and the terminal. Pure."""
