"""Git repositories behind the port `Repositories`: bare partial mirrors, commits by plumbing, no work tree.

Enters: repository names, branches, paths and object names, all checked in `names`. Leaves: texts, histories and pushed
commits, or `Transient`, `Permanent` and `Conflict` with one sentence. It never checks anything out, never runs a hook,
never reads a user's or the system's git configuration, and never puts a credential into a URL, an argument or a file.
"""

from bot.adapters.git.repositories import GitRepositories
from bot.adapters.git.settings import Author, GitLimits, GitSettings, SignatureFormat, Signing

__all__ = ["Author", "GitLimits", "GitRepositories", "GitSettings", "SignatureFormat", "Signing"]
