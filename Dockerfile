# The tests in a container:  docker build -t collectfasta . && docker run --rm collectfasta
FROM python:3.12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends memcached nodejs npm \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /collectfasta
COPY . .
CMD ["scripts/test"]
