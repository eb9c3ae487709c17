"""How commands are found in the pages of the documentation."""

from pathlib import Path

import pytest

from tests.support.documentation import Command, commands

PAGE = """
```console
$ one --with \\
    more
what it printed
$ two <<'END'
$ not a command
END
```

<!-- not run: needs a cluster -->
```console
$ kubectl get pods
```

<!-- exits with 3 -->
```console
$ jelmore show nothing
```

<!-- runs until stopped -->

```console
$ jelmore logs -f
```

```python
print("hello")
```

<!-- not run from here: for people -->
```console
$ make
```
<!-- run from here -->
```console
$ for name in a b; do
    echo $name
  done
```
"""


def test_what_is_typed_and_what_is_not(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert list(commands(page)) == [
        Command("one --with \\\n    more", 3),
        Command("two <<'END'\n$ not a command\nEND", 6),
        Command("jelmore show nothing", 18, status=3),
        Command("jelmore logs -f", 24, status=None),
        Command("python - <<'#end'\nprint(\"hello\")\n#end", 28),
        Command("for name in a b; do\n    echo $name\n  done", 37),
    ]


def test_a_comment_that_means_nothing_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- no run -->\n```console\n$ one\n```\n")
    with pytest.raises(ValueError, match="no run"):
        list(commands(page))
