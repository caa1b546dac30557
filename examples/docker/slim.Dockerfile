# An image on Debian that checks the models in /models:
#
#   docker build --file examples/docker/slim.Dockerfile --tag safeload .
#   docker run --rm --read-only --network none --volume "$PWD/models:/models:ro" safeload
FROM python:3.12-slim
COPY setup.cfg setup.py pyproject.toml README.md LICENSE /src/
COPY safeload /src/safeload
RUN python -m pip install --no-cache-dir /src
USER nobody
ENTRYPOINT ["safeload", "check"]
CMD ["/models"]
