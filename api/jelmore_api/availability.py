"""Saying once that a server is away, and once that it is back."""

import logging


class Availability:
    """Of one server, as one part sees it; `name` begins the sentences."""

    def __init__(self, name: str, logger: logging.Logger) -> None:
        self._name = name
        self._logger = logger
        self._wrong: str | None = None

    def lost(self, text: str) -> None:
        """`text`: what is wrong, as a `Trouble` has it."""
        if text != self._wrong:
            self._logger.warning("%s %s", self._name, text)
        self._wrong = text

    def found(self) -> None:
        if self._wrong is not None:
            self._logger.info("%s is there again", self._name)
        self._wrong = None
