# syntax=docker/dockerfile:1
# The gateway and its operator as a container: one static binary and the internet's certificates, not root.
#   make image
#   docker run --rm -p 1975:1975 aigw:latest run --demo --listen 0.0.0.0:1975

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev musl-tools \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(uname -m)-unknown-linux-musl" \
    && rustup target add "$target" \
    && cargo build --release --locked -p aigw --target "$target" \
    && install -D "target/$target/release/aigw" /out/usr/local/bin/aigw \
    && install -D -m 644 LICENSE /out/usr/share/doc/aigw/LICENSE \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
    && install -d -m 1777 /out/tmp

FROM scratch
COPY --from=build /out /
USER 65532:65532
# Inside a container the gateway is reached from outside; the admin port stays on loopback unless it is asked for.
ENV AIGW_LISTEN=0.0.0.0:1975
EXPOSE 1975 1064
# SIGTERM drains.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/aigw"]
CMD ["run", "/etc/aigw"]
