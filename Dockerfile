# One static binary, the authorities that certificates are checked by, and one
# directory to write to: there is no shell and no package to keep up to date.
#
#   docker build -t windrow .
#   docker run --rm windrow version

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /image/bin/windrow ./cmd/windrow
RUN mkdir -p /image/etc/ssl/certs && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/
# The user's own directory, for programs of jobs and the temporary files of job
# processes. Nothing in it is needed after a restart.
RUN mkdir -p -m 0755 /image/var/windrow && chown 65532:65532 /image/var/windrow

FROM scratch
COPY --from=build /image/bin/ /bin/
COPY --from=build /image/etc/ /etc/
COPY --from=build --chown=65532:65532 /image/var/ /var/
ENV HOME=/var/windrow TMPDIR=/var/windrow SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# A number, so that Kubernetes can verify that it is not root.
USER 65532:65532
WORKDIR /var/windrow
# The API of the master, and the protocol of workers.
EXPOSE 7411/tcp
ENTRYPOINT ["/bin/windrow"]
