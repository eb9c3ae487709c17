"""
python -m tests.cluster prepare              what takes minutes, once: packages, programs, images
python -m tests.cluster up FOLDER            a cluster that stays; FOLDER/env says how to use it
python -m tests.cluster images FOLDER        builds what has changed since, and gives it to that cluster
python -m tests.cluster down FOLDER          ends it and removes FOLDER
python -m tests.cluster run -- COMMAND ...   COMMAND, with a cluster that is there as long as it runs
python -m tests.cluster run --or-without -- COMMAND ...   the same; without a cluster where none can be had
"""

import sys
from pathlib import Path

from tests.cluster import commands
from tests.cluster.errors import ClusterError
from tests.cluster.layout import State


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["prepare"]:
                return commands.prepare()
            case ["up", folder]:
                return commands.up(State(Path(folder).resolve()))
            case ["images", folder]:
                return commands.images(State(Path(folder).resolve()))
            case ["down", folder]:
                return commands.down(State(Path(folder).resolve()))
            case ["run", "--", *command] if command:
                return commands.run(command)
            case ["run", "--or-without", "--", *command] if command:
                return commands.run(command, anyway=True)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    print((__doc__ or "").strip(), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
