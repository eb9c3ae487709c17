"""docs/api.md leaves out no call, no header and no problem of the description."""

import re
from pathlib import Path

from jelmore_api.errors import example
from jelmore_api.main import create_app
from jelmore_api.settings import Settings
from jelmore_contract.errors import ProblemType

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text()
CALLS = [
    (method.upper(), path, call)
    for path, calls in create_app(Settings()).openapi()["paths"].items()
    for method, call in calls.items()
]


def rows(first: str) -> list[list[str]]:
    """Of the table with this first column: the cells of each."""
    table = PAGE.split(f"| {first} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_call_is_there() -> None:
    """One cell may name several, and leave out the method of all but the first."""
    there = {re.sub(r"\{\w+\}", "{}", path) for row in rows("call") for path in re.findall(r"(/[^` ]+)`", row[0])}
    wanted = {re.sub(r"\{\w+\}", "{}", path.removeprefix("/api/v1")) for _, path, _ in CALLS}
    assert there == wanted | {"/session/{}/stream"}


def headers(of: str) -> set[str]:
    """As the page has them."""
    return {re.findall(r"`([\w-]+)", row[0])[0].lower() for row in rows(f"header of {of}")}


def test_every_header_is_there() -> None:
    parameters = [parameter for *_, call in CALLS for parameter in call.get("parameters", ())]
    assert {parameter["name"] for parameter in parameters if parameter["in"] == "header"} <= headers("a request")
    responses = [response for *_, call in CALLS for response in call["responses"].values()]
    described = {name.lower() for response in responses for name in response["headers"]}
    assert described | {"allow"} == headers("an answer")


def test_every_problem_is_there() -> None:
    documented = {kind.strip("`"): (status.split(", "), title) for kind, status, title, _ in rows("type")}
    assert set(documented) == set(ProblemType)
    for kind in ProblemType:
        statuses, title = documented[kind]
        problem = example(kind).document()
        assert title == problem.title
        assert str(problem.status) in statuses
