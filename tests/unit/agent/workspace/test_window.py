from jelmore_agent.workspace.window import Window


def test_nothing_is_due_before_a_change() -> None:
    assert Window().due is None


def test_a_burst_ends_when_it_is_quiet() -> None:
    window = Window(quiet=0.1, longest=1.0)
    window.touch(5.0)
    assert window.due == 5.1
    window.touch(5.05)
    assert window.due == 5.05 + 0.1


def test_a_burst_is_cut_when_it_lasts() -> None:
    window = Window(quiet=0.1, longest=1.0)
    for step in range(30):
        window.touch(5.0 + step * 0.05)
    assert window.due == 6.0


def test_a_new_burst_has_its_own_time() -> None:
    window = Window(quiet=0.1, longest=1.0)
    window.touch(5.0)
    window.close()
    window.touch(7.0)
    assert window.due == 7.1
    window.close()
    assert window.due is None
