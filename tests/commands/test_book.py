"""Showing and keeping the book: ports, one line where there is nothing."""

import http.server
import threading
import urllib.request

import pytest

from cemrnn.reproduce import server as serving
from tests.commands.test_main import call, project  # noqa: F401


@pytest.fixture
def taken():
    """A port that another program holds."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        yield server.server_port


def test_a_busy_port_is_left_alone(taken, tmp_path):
    (tmp_path / "index.html").write_text("the book")
    with serving.open_server(tmp_path, taken) as server:
        assert taken < server.server_port < taken + serving.PORTS
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/") as answer:
            assert answer.read() == b"the book"
        server.shutdown()


def test_no_free_port_is_told(taken, tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "PORTS", 1)
    with pytest.raises(OSError, match=f"ports {taken} to {taken} are busy: another one with --port"):
        serving.open_server(tmp_path, taken)


def test_there_is_nothing_to_show_before_it_was_built(project):  # noqa: F811
    result = call("serve")
    assert result.exit_code == 1
    assert result.stderr == "Error: no book at profile quick yet: make reproduce PROFILE=quick\n"


def test_there_is_nothing_to_keep_before_it_ran(project):  # noqa: F811
    assert "nothing has run at profile night: make reproduce PROFILE=night" in call("keep").stderr
    assert "fig1_tiny has not run at profile night" in call("keep", "fig1").stderr
