"""`python -m jelmore` is `jelmore`."""

from jelmore.cli import main

main()
