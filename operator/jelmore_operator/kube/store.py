"""What is seen of the cluster: sessions, their pods, claims and network policies. Level-based: only the last state of
each counts, and a list of all, now and then, replaces what is known, since a watch can miss a deletion.
"""

import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pydantic import ValidationError

from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import SessionKey
from jelmore_operator.kube.api import CLAIMS, PODS, POLICIES, SESSIONS, Document, Kind, Listed, version_of
from jelmore_operator.kube.names import SESSION_LABEL, object_name

logger = logging.getLogger(__name__)


class Name(NamedTuple):
    namespace: str
    name: str


def name_of(document: Document) -> Name:
    return Name(document["metadata"]["namespace"], document["metadata"]["name"])


def _lean(document: Document) -> Document:
    """Without the record of who set which field, which can be the larger part of it."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
    return {**document, "metadata": metadata}


#: So many of the last objects that went are remembered, of each kind.
_REMEMBERED = 4096


class Seen:
    """The objects of one kind. `on_change` is called with the name and the object (the last one, of one that went)."""

    def __init__(self, on_change: Callable[[Name, Document], None]) -> None:
        self._on_change = on_change
        self._known: dict[Name, Document] = {}
        # By uid, which no other object ever has: the answer to a write may come after the watch has told its end.
        self._gone: dict[str, None] = {}

    def get(self, name: Name) -> Document | None:
        return self._known.get(name)

    def put(self, document: Document) -> None:
        """Ignores what is older than what is known, or gone: answers to writes and the watch overtake each other."""
        if document["metadata"]["uid"] in self._gone:
            return
        name = name_of(document)
        known = self._known.get(name)
        if known is None or version_of(known) < version_of(document):
            self._known[name] = _lean(document)
            self._on_change(name, self._known[name])

    def remove(self, document: Document) -> None:
        """One that was seen to go; another of its name that came later stays."""
        name = name_of(document)
        known = self._known.get(name)
        newer = known is not None and version_of(known) > version_of(document)
        if known is not None and newer and known["metadata"]["uid"] == document["metadata"]["uid"]:
            return
        self._forget(document)
        if known is not None and not newer:
            del self._known[name]
            self._on_change(name, document)

    def replace(self, listed: Listed, namespace: str | None) -> None:
        """All there is, in one namespace or in all of them. What came after the list stays."""
        there = {name_of(document) for document in listed.items}
        for name, known in list(self._known.items()):
            in_scope = namespace is None or name.namespace == namespace
            if in_scope and name not in there and version_of(known) <= listed.version:
                self._forget(known)
                del self._known[name]
                self._on_change(name, known)
        for document in listed.items:
            self.put(document)

    def _forget(self, document: Document) -> None:
        self._gone[document["metadata"]["uid"]] = None
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]


class Store:
    """`on_change` is called with the key of every session about which something changed."""

    def __init__(self, on_change: Callable[[SessionKey], None]) -> None:
        self._on_change = on_change
        self.sessions = Seen(self._session_changed)
        self.pods = Seen(self._owned_changed)
        self.claims = Seen(self._owned_changed)
        self.policies = Seen(self._owned_changed)
        self._keys: dict[Name, SessionKey] = {}
        self._resources: dict[SessionKey, dict[str, ClaudeSession]] = {}

    def kind(self, kind: Kind) -> Seen:
        return {SESSIONS: self.sessions, PODS: self.pods, CLAIMS: self.claims, POLICIES: self.policies}[kind]

    def known(self) -> list[SessionKey]:
        return list(self._resources)

    def resources(self) -> Iterator[ClaudeSession]:
        """One of each session."""
        for key in self._resources:
            if (found := self.resource(key)) is not None:
                yield found

    def resource(self, key: SessionKey) -> ClaudeSession | None:
        """Of several that claim one id (by `spec.sessionId`), the oldest has it."""
        return next(iter(self._claimants(key)), None)

    def turned_away(self, key: SessionKey) -> list[ClaudeSession]:
        """The others that claim it."""
        return self._claimants(key)[1:]

    def _claimants(self, key: SessionKey) -> list[ClaudeSession]:
        found = self._resources.get(key, {}).values()
        return sorted(found, key=lambda each: (each.metadata.creation_timestamp, each.metadata.uid))

    def document(self, resource: ClaudeSession) -> Document | None:
        """The resource as the cluster has it, with all of its metadata."""
        return self.sessions.get(Name(resource.metadata.namespace, resource.metadata.name))

    def pod(self, resource: ClaudeSession) -> Document | None:
        """Whatever has the name of the session's pod."""
        return self.pods.get(Name(resource.metadata.namespace, object_name(resource.metadata.name)))

    def claim(self, resource: ClaudeSession) -> Document | None:
        return self.claims.get(Name(resource.metadata.namespace, object_name(resource.metadata.name)))

    def policy(self, resource: ClaudeSession) -> Document | None:
        return self.policies.get(Name(resource.metadata.namespace, object_name(resource.metadata.name)))

    def _session_changed(self, name: Name, document: Document) -> None:
        self._let_go(name)
        if self.sessions.get(name) is None:
            return
        try:
            resource = ClaudeSession.read(document)
        except ValidationError as error:
            # With words of another version. Without what was given: it may hold secrets.
            problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
            logger.error(
                "no session resource, left aside",
                extra={"resource": name.name, "namespace": name.namespace, "problems": problems},
            )
            return
        key = self._keys[name] = SessionKey(name.namespace, resource.session_id)
        self._resources.setdefault(key, {})[name.name] = resource
        self._on_change(key)

    def _let_go(self, name: Name) -> None:
        key = self._keys.pop(name, None)
        if key is not None:
            del self._resources[key][name.name]
            if not self._resources[key]:
                del self._resources[key]
            self._on_change(key)

    def _owned_changed(self, name: Name, document: Document) -> None:
        session_id = document["metadata"].get("labels", {}).get(SESSION_LABEL)
        if session_id is not None:
            self._on_change(SessionKey(name.namespace, session_id))
