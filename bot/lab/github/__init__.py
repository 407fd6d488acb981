"""The lab's GitHub: REST, Git over smart HTTP, pages for people, webhooks; stateful, and wrong on demand.

What it answers conforms to GitHub's published description; what it merges are real git merges.
"""

from bot.lab.github.conduct import Merging
from bot.lab.github.lab import GitHubLab
from bot.lab.github.nouns import Protection, Pull

__all__ = ["GitHubLab", "Merging", "Protection", "Pull"]
