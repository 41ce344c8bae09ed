# syntax=docker/dockerfile:1
# The gateway as a container: one binary on a small Debian, not root, certificates included.
#   make image
#   docker run --rm -p 1975:1975 aigw:latest run --demo --listen 0.0.0.0:1975

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p aigw \
    && install -D target/release/aigw /out/aigw

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/aigw /usr/local/bin/aigw
COPY LICENSE /usr/share/doc/aigw/LICENSE
USER 65532:65532
# Inside a container the gateway is reached from outside; the admin port stays on loopback unless it is asked for.
ENV AIGW_LISTEN=0.0.0.0:1975
EXPOSE 1975 1064
# SIGTERM drains.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/aigw"]
CMD ["run", "/etc/aigw"]
