# One image for collector and processor: `podcause collect`, `podcause process`. Kafka is another image (docker-compose.yml).
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/podcause
COPY requirements-runtime.txt ./
RUN /opt/podcause/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-runtime.txt
# hatchling builds the wheel; it stays in this stage.
COPY requirements.txt pyproject.toml README.md LICENSE NOTICE ./
COPY collector collector
COPY podcause podcause
COPY processor processor
COPY schemas schemas
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt \
    && /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /build/dist . \
    && /opt/podcause/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /build/dist/*.whl

FROM python:3.11-slim
LABEL org.opencontainers.image.title="podcause" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin podcause
COPY --from=build /opt/podcause /opt/podcause
COPY podcause/data/recordings /usr/share/podcause/recordings
ENV PATH=/opt/podcause/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["podcause"]
CMD ["--help"]
