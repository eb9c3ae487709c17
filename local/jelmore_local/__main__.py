"""`python -m jelmore_local` is `jelmore up`."""

import sys

from jelmore_local.up import main

sys.exit(main())
