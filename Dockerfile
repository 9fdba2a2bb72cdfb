# The whole product in one static binary on an empty image: no shell, no libc, no package manager.
#   docker build --build-arg VERSION=$(git describe --tags --always --dirty) -t weir .
#   docker run -d --name weir --read-only --cap-drop ALL --security-opt no-new-privileges \
#     -p 127.0.0.1:3128:3128 -p 127.0.0.1:53:1053/udp -p 127.0.0.1:53:1053/tcp -v weir-data:/var/lib/weir weir

FROM golang:1.26-bookworm AS build
# auto: take the toolchain that go.mod names where the base image is older (the official image says local).
ARG GOTOOLCHAIN=auto
ENV GOTOOLCHAIN=${GOTOOLCHAIN} CGO_ENABLED=0
WORKDIR /src
# The modules are a layer of their own: a change of code does not fetch them again.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/weir ./cmd/weir \
 && mkdir -p /out/data

FROM scratch
ARG VERSION=devel
LABEL org.opencontainers.image.title="weir" \
      org.opencontainers.image.description="TLS-intercepting forward proxy and filtering DNS resolver with one policy" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/weir /weir
COPY --from=build /src/configs/minimal.yaml /etc/weir/weir.yaml
# CA, lists and memory live here. The directory exists and is owned, so that a fresh volume takes over its owner.
COPY --from=build --chown=65532:65532 /out/data /var/lib/weir
VOLUME /var/lib/weir
# Numeric, so that runAsNonRoot can be checked without a passwd file.
USER 65532:65532
# 1053, not 53: the process has no capabilities. Publish it with -p 53:1053/udp -p 53:1053/tcp.
EXPOSE 3128/tcp 1053/udp 1053/tcp
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["/weir", "healthcheck", "-c", "/etc/weir/weir.yaml"]
ENTRYPOINT ["/weir"]
CMD ["run", "-c", "/etc/weir/weir.yaml"]
