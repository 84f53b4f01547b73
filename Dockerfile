# One image for every role: postback serve [--role …]. It runs as a user without rights and keeps what it must in /data.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY providers providers
COPY ledger ledger
COPY dispatcher dispatcher
COPY receiver receiver
COPY postback postback
RUN python -m venv /opt/postback \
    && /opt/postback/bin/pip install --no-cache-dir --disable-pip-version-check -c requirements.lock ".[postgres,buckets]" \
    && /opt/postback/bin/python -m compileall -q /opt/postback/lib

FROM python:3.13-slim
COPY --from=build /opt/postback /opt/postback
RUN useradd --system --uid 8414 --no-create-home postback && install -d -o postback -g postback -m 0700 /data
ENV PATH=/opt/postback/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    POSTBACK_HOME=/data \
    POSTBACK_HOST=0.0.0.0 \
    POSTBACK_PORT=8414
USER 8414
VOLUME /data
EXPOSE 8414
# What is up answers here; whether it may take work is for /readyz, which a load balancer asks.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"POSTBACK_PORT\"]}/healthz', timeout=4)"]
# Longer than a provider or a subscriber may take: what is under way at a stop comes to its end.
STOPSIGNAL SIGTERM
ENTRYPOINT ["postback"]
CMD ["serve"]
