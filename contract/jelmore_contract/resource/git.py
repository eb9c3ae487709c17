"""The part of a workspace that is about git: what is cloned into it, and who commits in it."""

import re
from typing import Annotated, NamedTuple, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from jelmore_contract.resource.fields import WHOLE, ContractModel, Flag, ObjectName, Rule

_HOST = r"([A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
#: Whole expressions that Python and CEL (RE2) read alike. What follows `//` begins with no dash: ssh would take it for
#: an option.
_HTTP = rf'https?://([^/@]*@)?{_HOST}/[!-"$->@-~]+'
_SSH = rf"ssh://({_USER}(:[^/@]*)?@)?{_HOST}/[!-~]+|{_USER}@[A-Za-z0-9_][A-Za-z0-9._-]*:[!-,.-~][!-~]*"
_FILE = r"file:///[A-Za-z0-9._/+=@,~-]+"


class _UrlRule(NamedTuple):
    """holds: whether the url must match, or must not."""

    expression: str
    holds: bool
    message: str


_URL_RULES = (
    _UrlRule(
        f"{_HTTP}|{_SSH}|{_FILE}",
        True,
        "must be https://HOST/PATH, http://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH; on one machine also "
        "file:///PATH",
    ),
    _UrlRule(
        r"https?://[^/]*@.*|ssh://[^/@]*:[^/@]*@.*",
        False,
        "must hold no user, password or token: keep them in a Secret, under the keys username and password, and name "
        "that beside the url",
    ),
)
#: What the rules say of a url, as JSON Schema.
URL_SCHEMA: dict[str, object] = {
    "allOf": [
        {"pattern": f"^({rule.expression})$"} if rule.holds else {"not": {"pattern": f"^({rule.expression})$"}}
        for rule in _URL_RULES
    ]
}
#: A url that needs a key, too.
SSH_URL = f"^({_SSH})$"
_NEEDS_KEY = "an ssh url needs a Secret with the keys ssh-privatekey and known_hosts: name it beside the url"


def is_ssh(url: str) -> bool:
    return re.fullmatch(_SSH, url) is not None


def local_path(url: str) -> str | None:
    """The path of a repository on this machine; None for one elsewhere."""
    return url.removeprefix("file://") if url.startswith("file://") else None


def _cel(expression: str) -> str:
    """As a string of CEL."""
    return "'" + f"^({expression})$".replace("\\", "\\\\") + "'"


#: A branch, a tag or a commit, without what git has in no name.
GitRef = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x20\x7f~^:?*\[\\+-][^\x00-\x20\x7f~^:?*\[\\]*$", min_length=1, max_length=255),
]

PersonName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f<>]+$", min_length=1, max_length=255)]


class Git(ContractModel):
    """What is cloned into the workspace before Claude starts. Once that is done, a change of it does nothing."""

    rules = (
        *(
            Rule(f"{'' if rule.holds else '!'}self.url.matches({_cel(rule.expression)})", rule.message, ".url")
            for rule in _URL_RULES
        ),
        Rule(
            "!self.url.startsWith('file:')",
            "file:// is for one machine only: a session in a cluster clones from a server",
            ".url",
        ),
        Rule(f"has(self.secretName) || !self.url.matches({_cel(_SSH)})", _NEEDS_KEY),
    )

    url: str = Field(
        min_length=1,
        max_length=2048,
        description="https, http or ssh, or USER@HOST:PATH; without credentials. On one machine also file:///PATH, "
        "below one of the allowed roots.",
    )
    ref: GitRef | None = Field(
        None, description="A branch, a tag, or a commit's whole hash; the repository's default branch without it."
    )
    depth: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = Field(
        None, description="So many commits of its history, and no other branch; all without it."
    )
    secret_name: ObjectName | None = Field(
        None,
        description="A Secret in the session's namespace with username and password (a token goes into password), or "
        "with ssh-privatekey and known_hosts. On one machine, the folder $JELMORE_HOME/secrets/NAME with files of "
        "these names. Only the clone sees it.",
    )

    @field_validator("url")
    @classmethod
    def _clonable(cls, url: str) -> str:
        for rule in _URL_RULES:
            if (re.fullmatch(rule.expression, url) is not None) is not rule.holds:
                raise ValueError(rule.message)
        return url

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if is_ssh(self.url) and self.secret_name is None:
            raise ValueError(_NEEDS_KEY)
        return self


class Commits(ContractModel):
    """Who is named in the commits that are made in the session."""

    name: PersonName | None = Field(None, description="Author and committer; what git is configured with without it.")
    email: PersonName | None = Field(None, description="Their address; what git is configured with without it.")
    attribution: Flag = Field(
        True, description="Claude names itself in commit messages and pull requests, as Claude Code does by default."
    )
