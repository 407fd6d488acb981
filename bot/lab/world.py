"""The lab's world: a GitHub, an Argo CD over a simulated cluster, a Prometheus, a registry, and services to release.

Real where it can be: Git repositories served by git itself, and a real Prometheus where one is on the PATH. Leaving
the context stops every server and process; the directory belongs to the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from bot.adapters.prometheus_process import PrometheusProcess
from bot.domain.model import Digest, Sha
from bot.domain.proofs import Identity
from bot.lab.answerer import PrometheusAnswerer
from bot.lab.app import app_lines, write_secret
from bot.lab.argocd import ApplicationSpec, ArgoLab, ArgoOptions
from bot.lab.cluster import Behaviour, Cluster
from bot.lab.exchanges import ExchangeRecorder
from bot.lab.exporter import exporter
from bot.lab.files import kustomization, policy_text, settings_text, token_lines, values, with_intake
from bot.lab.github import GitHubLab, Pull
from bot.lab.github.attestations import keep_attestation
from bot.lab.github.checks import check_runs_of
from bot.lab.github.nouns import CheckRun
from bot.lab.pace import COMPRESSED, Pace
from bot.lab.registry import RegistryLab
from bot.lab.serving import Served
from bot.lab.sigstore import SigstoreLab
from bot.lab.sources import Sources
from bot.ports import Clock

GITOPS = "acme/deploy"
BRANCH = "main"
STAGES = ("staging", "production")
DEVELOPER = "dana"
REVIEWER = "alice"
"""The person of the lab: pushes releases, reviews, closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A running world. Paths and names follow one pattern, so that a service is all one needs to name."""

    clock: Clock
    directory: Path
    cluster: Cluster
    github: GitHubLab
    sources: Sources
    argocd: ArgoLab
    argocd_url: str
    argocd_wire: ExchangeRecorder
    registry: RegistryLab
    registry_url: str
    sigstore: SigstoreLab
    prometheus_url: str
    answerer: PrometheusAnswerer | None
    """What stands in for Prometheus, and can be made to fail; None where there is a real one."""
    pace: Pace

    @property
    def prometheus_is_real(self) -> bool:
        """Whether a real Prometheus scrapes the services."""
        return self.answerer is None

    # --- services and releases ---

    def add_service(
        self, service: str, tag: str, *, merge: str = "auto", rollback: str = "commit", from_registry: bool = False
    ) -> None:
        """Set up a service in both stages at `tag`, with its policy file, and let it run well.

        Its releases come to staging by people's commits, or from the registry if they are signed by its workflow.
        """
        files = {
            self.file(service, "staging"): kustomization(image_of(service), tag),
            self.file(service, "production"): values(image_of(service), tag),
        }
        self.registry.push_image(f"acme/{service}", tag, revision=self.sources.commit_of(service, tag))
        self.github.commit_as(DEVELOPER, GITOPS, BRANCH, files, f"Add {service} {tag}")
        for stage in STAGES:
            self.argocd.add(
                ApplicationSpec(
                    name=f"{service}-{stage}",
                    repo_url=f"{self.github.url}/{GITOPS}.git",
                    path=str(Path(self.file(service, stage)).parent),
                    namespace=f"{service}-{stage}",
                    image=image_of(service),
                )
            )
        text = policy_text(service, image_of(service), GITOPS, self.pace, merge=merge, rollback=rollback)
        text = with_intake(text, service) if from_registry else text
        (self.directory / "policies" / f"{service}.yaml").write_text(text, encoding="utf-8")

    def release(
        self, service: str, tag: str, *, in_staging: Behaviour | None = None, in_production: Behaviour | None = None
    ) -> Sha:
        """Build a release and set its tag in staging, as a developer's pipeline does; return the commit."""
        self.build(service, tag, in_staging=in_staging, in_production=in_production)
        text = kustomization(image_of(service), tag)
        changed = {self.file(service, "staging"): text}
        return self.github.commit_as(DEVELOPER, GITOPS, BRANCH, changed, f"Release {service} {tag} to staging")

    def build(
        self, service: str, tag: str, *, in_staging: Behaviour | None = None, in_production: Behaviour | None = None
    ) -> Digest:
        """Push a release's image to the registry, and say how it will behave where; None behaves well."""
        digest = self.registry.push_image(f"acme/{service}", tag, revision=self.sources.commit_of(service, tag))
        for stage, behaviour in (("staging", in_staging), ("production", in_production)):
            if behaviour is not None:
                self.cluster.behave(image_of(service), tag, behaviour, namespace=f"{service}-{stage}")
        return digest

    def sign(
        self,
        service: str,
        tag: str,
        digest: Digest,
        *,
        workflow: str = "release.yml",
        at: Literal["registry", "github"] = "registry",
    ) -> Identity:
        """Sign an image and attest how it was built, as a workflow of its source repository does for a release.

        Both lie beside it in the registry, or are kept by GitHub.
        """
        by = workflow_identity(service, tag, self.sources.commit_of(service, tag), workflow=workflow)
        provenance = self.sigstore.attest(by, digest, "https://slsa.dev/provenance/v1", _built_by(by))
        for bundle in (self.sigstore.sign_image(by, digest), provenance):
            if at == "github":
                keep_attestation(self.github.world, f"acme/{service}", digest, bundle)
            else:
                self.registry.push_bundle(f"acme/{service}", digest, bundle)
        return by

    # --- what stands in the world ---

    def file(self, service: str, stage: str) -> str:
        """Name the file in which a stage's tag stands."""
        name = "kustomization.yaml" if stage == "staging" else "values.yaml"
        return f"apps/{service}/{stage}/{name}"

    def text(self, service: str, stage: str) -> str:
        """Return a stage's file at the head of the tracked branch."""
        return self.github.read(GITOPS, BRANCH, self.file(service, stage)) or ""

    def has_tag(self, service: str, stage: str, tag: str) -> bool:
        """Say whether a stage's file holds `tag` at the head of the tracked branch."""
        return f'"{tag}"' in self.text(service, stage)

    def pulls(self, service: str) -> Sequence[Pull]:
        """Return the pull requests for a service, oldest first."""
        return [pull for pull in self.github.pulls(GITOPS) if pull.head.startswith(f"liftlock/{service}/")]

    def checks(self, pull: Pull) -> Sequence[CheckRun]:
        """Return what apps' checks say of a pull request's head."""
        with self.github.world.lock:
            return check_runs_of(self.github.world.repository(GITOPS), pull.head_sha)

    def messages(self) -> Sequence[str]:
        """Return the messages of the tracked branch's commits, newest first."""
        return [commit.message for commit in self.github.log(GITOPS, BRANCH)]

    def subjects(self) -> Sequence[str]:
        """Return the tracked branch's commits as `git log --oneline` shows them."""
        log = self.github.log(GITOPS, BRANCH)
        return [f"{commit.sha[:7]} {commit.message.partition(chr(10))[0]}" for commit in log]

    # --- the bot's configuration ---

    def write_settings(self, path: Path) -> Path:
        """Write a ready `liftlock.toml` and the secret files that it names, for a bot that is a user with a token."""
        secrets = self._secrets()
        write_secret(secrets / "github", self.github.token)
        path.write_text(settings_text(self, token_lines(self)), encoding="utf-8")
        return path

    def write_app_settings(self, path: Path) -> Path:
        """Write them for a bot that is a GitHub App of its own, as is best: only an app has checks."""
        credentials = app_lines(self.github, self._secrets())
        path.write_text(settings_text(self, credentials), encoding="utf-8")
        return path

    def _secrets(self) -> Path:
        (self.directory / "trusted_root.json").write_bytes(self.sigstore.trusted_root)
        secrets = self.directory / "secrets"
        secrets.mkdir(exist_ok=True)
        write_secret(secrets / "argocd", self.argocd.token)
        return secrets


def image_of(service: str) -> str:
    """Name a service's image; the lab's registry answers for this host."""
    return f"ghcr.io/acme/{service}"


def workflow_identity(service: str, tag: str, commit: Sha, *, workflow: str = "release.yml") -> Identity:
    """Return what GitHub vouches for of a workflow that builds a release's tag."""
    repository, ref = f"https://github.com/acme/{service}", f"refs/tags/v{tag}"
    file = f"{repository}/.github/workflows/{workflow}"
    return Identity(
        issuer="https://token.actions.githubusercontent.com",
        subject=f"{file}@{ref}",
        source_repository=repository,
        source_repository_id="1296269",
        source_owner="https://github.com/acme",
        source_owner_id="9919",
        source_ref=ref,
        source_commit=commit,
        signer=f"{file}@{ref}",
        signer_commit=commit,
        runner="github-hosted",
        trigger="push",
        run=f"{repository}/actions/runs/1/attempts/1",
        visibility="private",
    )


def _built_by(by: Identity) -> Mapping[str, object]:
    """Return the provenance that GitHub's builder writes, as far as anybody looks at it."""
    workflow = {"repository": by.source_repository, "ref": by.source_ref, "path": ".github/workflows/release.yml"}
    return {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": workflow},
            "resolvedDependencies": [
                {"uri": f"git+{by.source_repository}@{by.source_ref}", "digest": {"gitCommit": by.source_commit}}
            ],
        },
        "runDetails": {"builder": {"id": "https://github.com/actions/runner/github-hosted"}},
    }


@contextmanager
def running_lab(
    directory: Path, clock: Clock, *, prometheus: Path | None = None, pace: Pace = COMPRESSED
) -> Iterator[Lab]:
    """Start a world in `directory`, with a real Prometheus if its path is given. The caller's thread stays free.

    With a clock under control Argo CD's reconcilers advance by `lab.argocd.tick()` only.
    """
    (directory / "policies").mkdir()
    with ExitStack() as stack:
        cluster = Cluster(clock)
        github = stack.enter_context(GitHubLab(directory / "github", clock))
        for login in (DEVELOPER, REVIEWER):
            github.add_user(login, {GITOPS: "write"})
        github.create_repository(GITOPS, files={"README.md": "What should run where.\n"}, branch=BRANCH)
        options = ArgoOptions(refresh_every=pace.refresh, sync_takes=pace.sync_takes)
        argocd = ArgoLab(clock, cluster, github.git_directory, options)
        wire = ExchangeRecorder(argocd.app)
        registry = RegistryLab(clock)
        metrics = prometheus or PrometheusAnswerer(cluster)
        served_argocd, served_registry = Served(wire), Served(registry.app)
        lab = Lab(
            clock=clock,
            directory=directory,
            cluster=cluster,
            github=github,
            sources=Sources(github=github, developer=DEVELOPER),
            argocd=argocd,
            argocd_url=stack.enter_context(served_argocd).url,
            argocd_wire=wire,
            registry=registry,
            registry_url=stack.enter_context(served_registry).url,
            sigstore=SigstoreLab(clock),
            prometheus_url=_prometheus(stack, cluster, metrics, pace.scrape, clock),
            answerer=metrics if isinstance(metrics, PrometheusAnswerer) else None,
            pace=pace,
        )
        for server in (github, served_argocd, served_registry):
            stack.callback(server.let_go)
        stack.callback(argocd.stop)
        yield lab


def _prometheus(
    stack: ExitStack, cluster: Cluster, metrics: PrometheusAnswerer | Path, scrape: timedelta, clock: Clock
) -> str:
    """Serve the stand-in, or start the program; return its address."""
    if isinstance(metrics, PrometheusAnswerer):
        return stack.enter_context(Served(metrics.app, clock=clock)).url
    target = stack.enter_context(Served(exporter(cluster)))
    return stack.enter_context(PrometheusProcess(metrics, targets=[target.url], scrape_interval=scrape)).url
