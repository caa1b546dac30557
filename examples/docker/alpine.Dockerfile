# An image on Alpine that checks the models in /models. Everything that the check needs has wheels for musl, so nothing is
# compiled; TensorFlow and torch have none, so this image cannot load a model.
#
#   docker build --file examples/docker/alpine.Dockerfile --tag safeload:alpine .
#   docker run --rm --read-only --network none --volume "$PWD/models:/models:ro" safeload:alpine
FROM python:3.12-alpine
COPY setup.cfg setup.py pyproject.toml README.md LICENSE /src/
COPY safeload /src/safeload
RUN python -m pip install --no-cache-dir --only-binary=numpy,h5py,crc32c,zlib-ng /src
USER nobody
ENTRYPOINT ["safeload", "check"]
CMD ["/models"]
