"""`jelmore info`"""

from typing import Any

from jelmore.command.options import JsonOption, UrlOption


def info(url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Show versions, addresses, the model and where the data is.

    \b
    jelmore info --json
    """
    from jelmore.command import runtime
    from jelmore.command.console import print_fields, print_json
    from jelmore.config import written_down
    from jelmore_contract.version import VERSION

    with runtime.open_client(url) as client:
        readiness, version = client.readiness(), client.version()
        address = client.target.url
    here = written_down()
    ours = here is not None and here.url == address
    document: dict[str, Any] = {
        "version": {"client": VERSION, "api": version},
        "url": address,
        "docs": f"{address}/api/v1/docs",
        "model": readiness.model,
        "status": readiness.status,
        "away": [name for name, dependency in readiness.dependencies.items() if not dependency.ok],
        "home": str(here.home) if here and ours else None,
        "nats": here.nats if here and ours else None,
    }
    if as_json:
        print_json(document)
        return
    print_fields(
        {
            "client": VERSION,
            "API": f"{version or 'of another version'} at {address}",
            "reference": document["docs"],
            "model": "demo: a scripted one" if readiness.model == "demo" else readiness.model,
            "status": readiness.status,
            "away": ", ".join(document["away"]),
            "data": document["home"] or "",
            "NATS": document["nats"] or "",
        }
    )
