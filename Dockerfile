FROM debian:bookworm-slim AS build
WORKDIR /src
COPY contrib/install-packages contrib/
RUN contrib/install-packages build
COPY . .
RUN make -j"$(nproc)" PREFIX=/usr && make install PREFIX=/usr DESTDIR=/out

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libcurl4 libjson-c5 libmicrohttpd12 libmosquitto1 libsqlite3-0 libwslay1 libyaml-0-2 \
        tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 8011 ha-ai \
    && useradd --uid 8011 --gid 8011 --no-create-home --home-dir /app --shell /usr/sbin/nologin ha-ai \
    && install -d -o ha-ai -g ha-ai -m 700 /app/data
COPY --from=build /out/usr/bin/ha-ai /usr/bin/ha-ai
COPY --from=build /out/usr/share/ha-ai /usr/share/ha-ai
# 127.0.0.1 in a container is reached by nobody; its owner decides whether to publish the port.
ENV HTTP_BIND=0.0.0.0 DATABASE_PATH=/app/data/ai_automation.db
USER ha-ai
WORKDIR /app
VOLUME /app/data
EXPOSE 8011
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["ha-ai", "check", "--health"]
ENTRYPOINT ["ha-ai"]
CMD ["run"]
