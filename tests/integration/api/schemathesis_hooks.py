"""What Schemathesis is to know of the place where it tries the API: one machine, where a field of a cluster means
nothing and is refused, whatever it says. Without this hardly a session would come to be made.
"""

from typing import Any

import schemathesis

from jelmore_contract.resource import Storage

type _Json = dict[str, Any]

_NONE: _Json = {"enum": [None]}
_EMPTY: _Json = {"enum": [{}]}
_EMPTY_OR_NONE: _Json = {"enum": [{}, None]}

_LONG = {"query", "append_system_prompt"}
_OF_A_CLUSTER = ("egress", "pod_template", "resources")


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: _Json) -> None:
    schemas = raw_schema["components"]["schemas"]
    schemas["CreateSession"]["properties"] |= {"credentials": _NONE, **dict.fromkeys(_OF_A_CLUSTER, _EMPTY)}
    schemas["SessionChange"]["properties"] |= {"credentials": _NONE, **dict.fromkeys(_OF_A_CLUSTER, _EMPTY_OR_NONE)}
    # In answers, too.
    plain = Storage().model_dump()
    schemas["Workspace"]["properties"] |= {"path": _NONE, "storage": {"enum": [{}, plain]}}
    schemas["WorkspaceChange"]["properties"] |= {"path": _NONE, "storage": _EMPTY_OR_NONE}
    # Longer texts are more than Hypothesis takes for one example; tests/unit/api/test_bodies.py has their limits.
    for name in ("CreateSession", "SessionChange", "Spec"):
        for field in _LONG & schemas[name]["properties"].keys():
            del schemas[name]["properties"][field]["anyOf"][0]["maxLength"]
    # A repository of the machine must be below an allowed root.
    schemas["Git"]["properties"]["url"]["allOf"].append({"not": {"pattern": "^file:"}})


@schemathesis.hook
def filter_query(context: schemathesis.HookContext, query: _Json | None) -> bool:
    """Two values of one label, which no session has, are refused in a list; no schema says that."""
    labels = (query or {}).get("label")
    if not isinstance(labels, list):
        return True
    different = {label for label in labels if isinstance(label, str)}
    return len({label.partition("=")[0] for label in different}) == len(different)
