# Holds a pod's network. No session's image: it has a shell and coreutils for the tests' plain pods too.
FROM debian:trixie-slim
CMD ["sleep", "infinity"]
