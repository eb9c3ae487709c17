"""The Tiltfile as far as it can be had without Tilt and Docker: what is built, what is synced, what is applied."""

import re
from typing import Any

import pytest

from tests.cluster.images.inputs import copied
from tests.support.helm import ROOT, Helm, only, values_of
from tests.support.tilt import Tilt, TiltfileError

TILTFILE = (ROOT / "Tiltfile").read_text()
VALUES = str(values_of("minimal").relative_to(ROOT))


@pytest.fixture
def tilt(helm: Helm) -> Tilt:
    made = Tilt(helm, {"values": [VALUES]})
    made.evaluate(TILTFILE)
    return made


def pod_of(tilt: Tilt, part: str) -> dict[str, Any]:
    pod: dict[str, Any] = only(tilt.objects, "Deployment", f"jelmore-{part}")["spec"]["template"]["spec"]
    return pod


def test_it_needs_values(helm: Helm) -> None:
    with pytest.raises(TiltfileError, match=r"tilt up -- --values my-values\.yaml"):
        Tilt(helm, {}).evaluate(TILTFILE)


@pytest.mark.parametrize("image", ["jelmore", "jelmore-session"])
def test_each_image_is_built_from_all_that_its_dockerfile_copies(tilt: Tilt, image: str) -> None:
    build = tilt.builds[image]
    dockerfile = (ROOT / build["dockerfile"]).read_text()
    for source in copied(dockerfile):
        assert (ROOT / source.rstrip("*")).exists()
        assert any(source == given or source.startswith(f"{given}/") for given in build["only"]), source
    assert all((ROOT / given).is_dir() for given in build["only"])


def test_the_images_are_those_of_the_pods(tilt: Tilt) -> None:
    """Tilt puts its own tag in where it finds the name."""
    for part in ("operator", "api"):
        for container in (*pod_of(tilt, part).get("initContainers", []), *pod_of(tilt, part)["containers"]):
            assert container["image"].rpartition(":")[0] in tilt.builds
    (operator,) = pod_of(tilt, "operator")["containers"]
    (session,) = (each["value"] for each in operator["env"] if each["name"] == "JELMORE_SESSION_IMAGE")
    assert session.rpartition(":")[0] in tilt.builds
    assert tilt.builds["jelmore-session"]["match_in_env_vars"] is True


def test_edits_go_where_python_looks_first(tilt: Tilt) -> None:
    *syncs, restart = tilt.builds["jelmore"]["live_update"]
    assert restart == {"run": "kill -TERM 1"}
    packages = {step["sync"][0]: step["sync"][1] for step in syncs}
    dockerfile = (ROOT / tilt.builds["jelmore"]["dockerfile"]).read_text()
    # Each package that the image holds, and no other.
    in_image = dict(re.findall(r"^COPY (\S+/jelmore_\w+) \S+/(jelmore_\w+)$", dockerfile, re.MULTILINE))
    assert packages == {folder: f"/sources/{name}" for folder, name in in_image.items()}
    for part in ("operator", "api"):
        pod = pod_of(tilt, part)
        container = pod["containers"][0]
        assert {"name": "PYTHONPATH", "value": "/sources"} in container["env"]
        assert {"name": "sources", "mountPath": "/sources"} in container["volumeMounts"]
        assert {"name": "sources", "emptyDir": {}} in pod["volumes"]
        (copy,) = (each for each in pod["initContainers"] if each["name"] == "sources")
        compile(copy["command"][-1], "sources", "exec")
        for name in in_image.values():
            assert f'"{name}"' in copy["command"][-1]
        assert copy["securityContext"] == container["securityContext"]


def test_all_else_is_what_the_chart_renders(tilt: Tilt, helm: Helm) -> None:
    given = {"image": {"repository": "jelmore"}, "sessionImage": {"repository": "jelmore-session"}}
    rendered = [each for each in helm.render("minimal", given) if each["metadata"]["name"] != "jelmore-test"]
    changed = {"Deployment"}
    assert [each for each in tilt.objects if each["kind"] not in changed] == [
        each for each in rendered if each["kind"] not in changed
    ]
    assert tilt.resources == {"jelmore-api": {"port_forwards": "8000:8000"}}
    only(rendered, "Deployment", "jelmore-api")


def test_with_servers_of_the_charts_own(helm: Helm) -> None:
    tilt = Tilt(helm, {"values": [str(values_of("bundled").relative_to(ROOT))]})
    tilt.evaluate(TILTFILE)
    only(tilt.objects, "StatefulSet", "jelmore-nats")
    # What makes their keys runs in the image that is built.
    job = only(tilt.objects, "Job", "jelmore-bundled")["spec"]["template"]["spec"]["containers"][0]
    assert job["image"].rpartition(":")[0] in tilt.builds


def test_another_namespace(helm: Helm) -> None:
    tilt = Tilt(helm, {"values": [VALUES], "namespace": "mine"})
    tilt.evaluate(TILTFILE)
    assert tilt.defined == {"values", "namespace"}
    only(tilt.objects, "Deployment", "jelmore-api", "mine")
