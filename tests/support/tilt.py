"""The Tiltfile, evaluated without Tilt: its language is the real one, its chart is rendered by the real helm, and what
it says to Tilt is taken down.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import starlark
import yaml

from tests.support.helm import ROOT, Helm, Rendered, documents

#: Modules of Tilt are structs; starlark-pyo3 knows functions alone.
_PRELUDE = """\
config = struct(
    define_string_list = _define_string_list,
    define_string = _define_string,
    parse = _parse,
)
"""


class TiltfileError(Exception):
    """What `fail` said, or where the file is wrong."""


@dataclass
class Tilt:
    """arguments: what stands behind `tilt up --`, as config.parse() gives it."""

    helm: Helm
    arguments: dict[str, Any]
    defined: set[str] = field(default_factory=set)
    #: By image.
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: list[Rendered] = field(default_factory=list)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)

    def evaluate(self, text: str) -> None:
        """Raises TiltfileError."""
        module = starlark.Module()
        for name, function in self._builtins().items():
            module.add_callable(name, function)
        globals_ = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])
        try:
            tree = starlark.parse("Tiltfile", _PRELUDE + text, dialect=starlark.Dialect.extended())
            starlark.eval(module, tree, globals_)
        except starlark.StarlarkError as error:
            raise TiltfileError(str(error)) from None

    def _builtins(self) -> dict[str, Callable[..., Any]]:
        return {
            "_define_string_list": self._define,
            "_define_string": self._define,
            "_parse": lambda: self.arguments,
            "docker_build": self._docker_build,
            "sync": lambda here, there: {"sync": [here, there]},
            "run": lambda command: {"run": command},
            "helm": self._helm,
            "decode_yaml_stream": documents,
            "encode_yaml_stream": yaml.safe_dump_all,
            "k8s_yaml": lambda text: self.objects.extend(documents(text)),
            "k8s_resource": lambda name, **options: self.resources.update({name: options}),
        }

    def _define(self, name: str, usage: str) -> None:
        assert usage
        self.defined.add(name)

    def _docker_build(self, ref: str, context: str, **options: Any) -> None:
        self.builds[ref] = {"context": context, **options}

    def _helm(self, chart: str, name: str, namespace: str, values: list[str], set: list[str]) -> str:
        files = [argument for file in values for argument in ("--values", ROOT / file)]
        given = [argument for each in set for argument in ("--set", each)]
        return self.helm.run("template", name, ROOT / chart, "--namespace", namespace, *files, *given)
