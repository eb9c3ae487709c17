"""Sessions as pods: what is seen of each, and plans carried out by calls to the API server.

The operator may be killed between any two calls: each is such that the next pass, of whichever operator, goes on from
what it finds.
"""

import logging

logger = logging.getLogger(__name__)

_KILL = 1  # seconds of grace: none at all would take the object away before the processes are gone
_END_WITHIN = 5.0  # seconds until a pod that is to go is looked at again, should its end be missed
