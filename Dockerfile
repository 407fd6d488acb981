# The image of the bot: what it needs to run and nothing to build with. Two stages, so that no tool of the first one
# reaches the second. All state is in /var/lib/liftlock; the rest of the file system may be read-only.

FROM python:3.12-slim-bookworm AS build

WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

# Dependencies first: they change more rarely than the code, so their layer is kept.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --no-deps -r requirements-build.lock \
    && python -m venv --without-pip /opt/liftlock \
    && /opt/build/bin/pip --python /opt/liftlock/bin/python install --only-binary :all: --require-hashes --no-deps -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY bot ./bot
COPY policies ./policies
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/build/bin/pip --python /opt/liftlock/bin/python install --no-deps --no-index /dist/*.whl \
    && /opt/liftlock/bin/python -m compileall -q /opt/liftlock/lib


FROM python:3.12-slim-bookworm

# gnupg and openssh-client sign commits, where the settings ask for it.
# The base image brings pip and the means to bring it back; a running bot installs nothing. Packages of Debian carry no
# version here, because its archive keeps only the newest and a pinned one could soon not be built.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git gnupg openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && python -m pip uninstall --yes pip \
    && rm -rf /usr/local/lib/python3.12/ensurepip \
    && groupadd --gid 65532 liftlock \
    && useradd --uid 65532 --gid 65532 --home-dir /var/lib/liftlock --no-create-home --shell /usr/sbin/nologin liftlock \
    && install --directory --owner=65532 --group=65532 --mode=0750 /var/lib/liftlock

COPY --from=build /opt/liftlock /opt/liftlock

ENV PATH=/opt/liftlock/bin:$PATH \
    HOME=/var/lib/liftlock \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /var/lib/liftlock
VOLUME ["/var/lib/liftlock"]
# By number, so that a cluster can see that it is not root.
USER 65532:65532

HEALTHCHECK --interval=60s --timeout=10s --start-period=120s --retries=3 \
    CMD ["liftlock", "health", "--config", "/etc/liftlock/liftlock.toml"]

ENTRYPOINT ["liftlock"]
CMD ["run", "--config", "/etc/liftlock/liftlock.toml"]
