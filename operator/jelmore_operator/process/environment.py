"""What a session's processes may inherit from whoever runs Jelmore. The rest of that environment can hold secrets."""

import os

_LOCALE = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
# LD_LIBRARY_PATH: a Python that needs it to start needs it here too.
_SESSION = ("PATH", "LD_LIBRARY_PATH", "HOME", "USER", "LOGNAME", "SHELL", *_LOCALE, "TMPDIR", "TERM")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
#: A clone needs the way out of this network, and whom to trust there; of the user, nothing.
_CLONE = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", *_PROXIES, *map(str.upper, _PROXIES))


def for_session() -> dict[str, str]:
    return _inherited(_SESSION)


def for_clone() -> dict[str, str]:
    return _inherited(_CLONE)


def _inherited(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
