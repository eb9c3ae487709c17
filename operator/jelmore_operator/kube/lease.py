"""One operator at a time: whoever holds the Lease works, the others wait until it is let go or runs out.

Times are of this process' own clock, from when a change of the Lease was seen: hosts' clocks may differ.
"""

import asyncio
import logging
from datetime import UTC, datetime

from jelmore_operator.kube.api import LEASES, Api, ApiError, Document

logger = logging.getLogger(__name__)

NAME = "jelmore-operator"
DURATION = 12  # seconds without a sign after which the Lease is anybody's: others see that at most two looks later
_DEADLINE = 8.0  # seconds without a success after which the holder takes it for lost: before others do
_EVERY = 2.0  # seconds between two signs, or two looks


class LeaseLost(Exception):
    """Another may be at work: nothing more may be done here."""


class Lease:
    """`holder` names this process, and no other."""

    def __init__(self, api: Api, namespace: str, holder: str) -> None:
        self._api = api
        self._namespace = namespace
        self._holder = holder
        self._seen: tuple[int, float] = (0, 0.0)  # the Lease's version, and when it was first seen
        self._mine: Document | None = None
        self._lost = False

    async def acquire(self) -> None:
        """Waits until it is ours."""
        waiting = False
        while not await self._tried():
            if not waiting:
                logger.info("another operator holds the Lease, waiting", extra={"lease": NAME})
                waiting = True
            await asyncio.sleep(_EVERY)
        logger.info("holding the Lease", extra={"lease": NAME, "holder": self._holder})

    async def keep(self) -> None:
        """Renews it. Never returns. Raises LeaseLost."""
        try:
            await self._keep()
        except LeaseLost:
            self._lost = True
            raise

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _DEADLINE
        while True:
            await asyncio.sleep(_EVERY)
            began = loop.time()
            try:
                async with asyncio.timeout_at(until):
                    held = await self._tried()
            except TimeoutError:
                raise LeaseLost(f"the Lease could not be renewed for {_DEADLINE:.0f} s") from None
            if held:
                until = began + _DEADLINE
            elif self._mine is None:
                raise LeaseLost("another operator has the Lease")
            elif loop.time() >= until:
                raise LeaseLost(f"the Lease could not be renewed for {_DEADLINE:.0f} s")

    async def release(self) -> None:
        """Lets it go, so that the next one need not wait for its end. It is read first: a renewal, or the very first
        hold, may have been broken off after the API server had it.
        """
        if self._lost:
            return
        try:
            found = await self._api.get(LEASES, self._namespace, NAME)
            if found is None or found.get("spec", {}).get("holderIdentity") != self._holder:
                return
            spec = {**found["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
            await self._api.replace(LEASES, {**found, "spec": spec})
        except OSError as error:
            logger.info("the Lease was not let go", extra={"error": error})

    async def _tried(self) -> bool:
        """Whether it is ours now. What fails is tried again by whoever asked."""
        try:
            return await self._try()
        except OSError as error:
            logger.warning("the Lease cannot be had now", extra={"error": error})
            return False

    async def _try(self) -> bool:
        found = await self._api.get(LEASES, self._namespace, NAME)
        try:
            if found is None:
                self._mine = await self._api.create(LEASES, self._document(found))
            elif self._free(found):
                self._mine = await self._api.replace(LEASES, self._document(found))
            else:
                self._mine = None
        except ApiError as error:
            if error.status != 409:
                raise
            self._mine = None  # another was first
        return self._mine is not None

    def _free(self, found: Document) -> bool:
        spec, now = found.get("spec", {}), asyncio.get_running_loop().time()
        version = int(found["metadata"]["resourceVersion"])
        if self._seen[0] != version:
            self._seen = (version, now)
        holder = spec.get("holderIdentity")
        ran_out = now - self._seen[1] >= float(spec.get("leaseDurationSeconds") or 0)
        return not holder or holder == self._holder or ran_out

    def _document(self, found: Document | None) -> Document:
        moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        before: Document = found.get("spec", {}) if found is not None else {}
        metadata = found["metadata"] if found is not None else {"name": NAME, "namespace": self._namespace}
        renewed = before.get("holderIdentity") == self._holder
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": DURATION,
                "acquireTime": before["acquireTime"] if renewed else moment,
                "renewTime": moment,
                "leaseTransitions": (before.get("leaseTransitions") or 0) + (0 if renewed or found is None else 1),
            },
        }
