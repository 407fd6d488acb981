"""A stateful, truthful imitation of GitHub: REST API, Git over HTTP, webhooks and pages, on 127.0.0.1.

Git is real: bare repositories served by git's own `http-backend`, merges by git's plumbing. What is ours imitates
GitHub's shapes, status codes and words closely enough that PyGithub works unmodified.
"""

from bot.lab.github.lab import GitHubLab
from bot.lab.github.nouns import Pull
from bot.lab.github.webhooks import Delivery

__all__ = ["Delivery", "GitHubLab", "Pull"]
