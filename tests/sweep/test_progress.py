"""Progress of training: bar on a terminal, plain lines in a log."""

import io

import pytest

from cemrnn.sweep import progress as shown
from cemrnn.sweep.progress import SweepProgress

REPORT = SweepProgress("gain, N = 64, K = 8", work_done=25.0, work_total=100.0, n_done=3, n_total=12, worst_score=0.7)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves by hand."""
    now = [100.0]
    monkeypatch.setattr(shown.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_plain_lines_with_the_time_left(clock):
    log = io.StringIO()
    report = shown.TrainingProgress(log)
    clock[0] += 20.0
    report(REPORT)
    # 25 % took 20 s, so 75 % take 60 s.
    assert log.getvalue() == "training: 3/12 networks, gain, N = 64, K = 8, worst task 0.70, 25%, 01:00 left\n"


def test_a_log_gets_a_line_only_now_and_then(clock):
    log = io.StringIO()
    report = shown.TrainingProgress(log)
    for _ in range(31):
        report(REPORT)
        clock[0] += 1.0
    # At 0, 15 and 30 s.
    assert log.getvalue().count("\n") == 3


def test_a_terminal_gets_a_bar(clock):
    terminal = Terminal()
    report = shown.TrainingProgress(terminal)
    report(REPORT)
    report.close()
    assert "25%|" in terminal.getvalue()
    assert "left" in terminal.getvalue()


def test_a_notebook_shows_a_bar_and_a_run_for_the_book_shows_nothing(monkeypatch):
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(shown.sys, "stderr", stream)
    monkeypatch.setenv("CEMRNN_OUT", "build/quick")
    with shown.show_progress() as report:
        assert report is None
    monkeypatch.delenv("CEMRNN_OUT")
    with shown.show_progress() as report:
        report(REPORT)
        assert (report.bar.n, report.bar.total) == (25, 100)
        assert report.bar.desc.startswith("3/12 networks, gain, N = 64, K = 8, worst task 0.70")
    assert "| 00:00, " in stream.getvalue() and "training:" not in stream.getvalue()
    assert report.bar.disable  # closed
