# An image of an earlier release: its sources, which tests/data/releases keeps, in place of this checkout's.
ARG IMAGE
FROM $IMAGE
ARG SOURCES
USER root
RUN rm -rf /opt/jelmore/lib/python3.13/site-packages/jelmore_*
ADD $SOURCES /
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/jelmore/lib/python3.13/site-packages/jelmore_*
USER 10001:10001
