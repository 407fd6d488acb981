"""Merge a pull request as GitHub does: real merges of real commits, by git's plumbing, in the three ways on offer."""

from __future__ import annotations

from bot.lab.github.git import GITHUB, Bare, Commit, Person, Signature
from bot.lab.github.nouns import Account, MergeMethod, MergeRequest, Pull
from bot.lab.github.world import Repository, World


def person(account: Account) -> Person:
    """Return an account's name and address as GitHub writes them into commits."""
    return Person(name=account.login, email=account.email)


def fork_of(repository: Repository, pull: Pull) -> str:
    """Return the commit where a pull request's branch left its base: the near end of its diff."""
    bare = repository.bare
    base = (bare.branch(pull.base) if pull.is_open else None) or pull.base_sha
    return bare.merge_base(base, pull.head_sha) or base


def commits_of(repository: Repository, pull: Pull) -> list[Commit]:
    """Return a pull request's commits, oldest first."""
    base = (repository.bare.branch(pull.base) if pull.is_open else None) or pull.base_sha
    return repository.bare.commits("--reverse", "--topo-order", f"{base}..{pull.head_sha}")


def default_texts(repository: Repository, pull: Pull, method: MergeMethod) -> tuple[str, str]:
    """Return the title and message that GitHub writes when none are given, by its default repository settings."""
    if method == "merge":
        return f"Merge pull request #{pull.number} from {repository.owner.login}/{pull.head}", pull.title
    commits = commits_of(repository, pull)
    if len(commits) == 1:
        title, _, rest = commits[0].message.partition("\n")
        return f"{title} (#{pull.number})", rest.strip()
    return f"{pull.title} (#{pull.number})", "\n\n".join(f"* {commit.message}" for commit in commits)


def make_merge(world: World, repository: Repository, pull: Pull, actor: Account, request: MergeRequest) -> str | None:
    """Make the commits of a merge and return the new head of the base; no ref moves. None if it conflicts."""
    bare = repository.bare
    base = bare.branch(pull.base)
    if base is None:
        return None
    if request.method == "rebase":
        return _rebase(world, repository, pull, actor)
    tree = bare.merge_tree(base, pull.head_sha)
    if tree is None:
        return None
    title, message = default_texts(repository, pull, request.method)
    title = request.title or title
    message = message if request.message is None else request.message
    text = f"{title}\n\n{message}" if message else title
    if request.method == "squash":
        signature = Signature(author=person(pull.author), committer=GITHUB, at=world.now())
        return bare.write_commit(tree, [base], text, signature)
    signature = Signature(author=person(actor), committer=GITHUB, at=world.now())
    return bare.write_commit(tree, [base, pull.head_sha], text, signature)


def _rebase(world: World, repository: Repository, pull: Pull, actor: Account) -> str | None:
    bare = repository.bare
    onto = bare.branch(pull.base) or pull.base_sha
    for commit in commits_of(repository, pull):
        if len(commit.parents) != 1:
            return None
        tree = _replayed_tree(bare, commit, onto)
        if tree is None:
            return None
        signature = Signature(
            author=commit.author, committer=person(actor), at=world.now(), authored_at=commit.authored_at
        )
        onto = bare.write_commit(tree, [onto], commit.message, signature)
    return onto


def _replayed_tree(bare: Bare, commit: Commit, onto: str) -> str | None:
    # git 2.39's merge-tree takes no merge base. A commit with the tree of `onto` and the parent of `commit` has the
    # right one, and is never referenced.
    new = bare.commit(onto)
    signature = Signature(author=GITHUB, committer=GITHUB, at=new.committed_at)
    stand_in = bare.write_commit(new.tree, commit.parents, "stand-in", signature)
    return bare.merge_tree(stand_in, commit.sha)
