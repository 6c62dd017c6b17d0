# docker build -t exposr .                               CLIP and the built-in embedder
# docker build -t exposr --build-arg CLIP=0 .            the built-in embedder alone, no torch
# docker build -t exposr --build-arg TORCH_INDEX= .      torch with CUDA, for a GPU
FROM python:3.11-slim AS libraries
ARG CLIP=1
# PyTorch's own index has builds without CUDA, a tenth of the usual size
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /venv
COPY requirements.txt requirements-clip.txt /
RUN if [ "$CLIP" = 0 ]; then set -- -r /requirements.txt; \
    else set -- ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r /requirements-clip.txt; fi \
 && /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check "$@"

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin exposr \
 && install --directory --owner exposr --mode 0750 /data
COPY --from=libraries /venv /venv
WORKDIR /app
COPY . .
# written now, because the service may write nowhere but in /data and /tmp
RUN /venv/bin/python -m compileall -q .
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    API_HOST=0.0.0.0 \
    API_PORT=5000 \
    DATA_DIR=/data \
    HF_HOME=/data/huggingface \
    MPLCONFIGDIR=/tmp/matplotlib
USER 10001
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
  CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$API_PORT/health', timeout=8)"
# reachable from outside the container, so it does not start without ADMIN_KEY
CMD ["python", "app.py"]
