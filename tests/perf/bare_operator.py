"""The least that an operator can do, with kopf as anybody would write it: each new session's status is patched once.

`python -m tests.perf.bare_operator NAMESPACE`, with KUBECONFIG set.
"""

import asyncio
import sys
from typing import Any

import kopf


@kopf.on.create("jelmore.dev", "v1alpha1", "claudesessions")
def patch_once(patch: kopf.Patch, **_: Any) -> None:
    patch.status["message"] = "seen"


@kopf.on.startup()
def quiet(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = False
    settings.scanning.disabled = True


if __name__ == "__main__":
    asyncio.run(kopf.operator(standalone=True, namespaces=[sys.argv[1]]))
