// Package imagetest builds the image from the Dockerfile and runs it as a user would: read-only root, no capabilities,
// not root, data on a volume. The test itself stands behind the build tag "image", because it needs root, podman, and
// some minutes for the first base image; `make image-test` runs it.
package imagetest
