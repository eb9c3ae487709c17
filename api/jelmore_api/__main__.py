"""`python -m jelmore_api`: serves until SIGTERM or Ctrl-C, then lets every answer under way go out. Exit code 0."""

import gc
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
    service = server(settings)
    # What is imported and made by now stays for good: looking through it for garbage would hold up every answer.
    gc.freeze()
    service.run()


if __name__ == "__main__":
    main()
