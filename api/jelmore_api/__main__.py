"""`python -m jelmore_api`: serves until SIGTERM or Ctrl-C, then lets every answer under way go out. Exit code 0."""

import sys

from pydantic import ValidationError

from jelmore_api import logs
from jelmore_api.serve import server
from jelmore_api.settings import Settings, problem


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(f"jelmore_api cannot start: {problem(error)}.")
    logs.configure()
    server(settings).run()


if __name__ == "__main__":
    main()
