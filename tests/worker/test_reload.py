"""--reload restarts a worker when a file of its app changes."""

import shutil
import signal

import pytest
from processes import HERE
from workers import publish

from waiting import wait_until

pytestmark = pytest.mark.kafka

SOON_S = 30
RESTARTED = "all processes are restarted"
APP = """
import os
from eventstream import App
from journal_app import note
from word import WORD

app = App()

@app.on(os.environ["TOPIC"])
async def handle(event):
    note(WORD, event)
"""


@pytest.fixture
def folder(tmp_path):
    """Give a folder with an app of several files that the test may change."""
    folder = tmp_path / "app"
    folder.mkdir()
    shutil.copy(HERE / "journal_app.py", folder)
    (folder / "own_app.py").write_text(APP)
    (folder / "word.py").write_text('WORD = "one"\n')
    return folder


@pytest.fixture
def handled(processes, kafka, topic):
    """Publish an event, and give the word that its handler notes."""

    def handled():
        seen = len(processes.journal.entries())
        publish(kafka, topic, [(b"key", b"")])
        entries = wait_until(lambda: processes.journal.entries()[seen:], SOON_S, "it is handled")
        return entries[0].what

    return handled


def start(processes, folder):
    return processes.start("--reload", app="own_app:app", folder=folder)


def stop(worker):
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0, worker.text()


def test_a_changed_file_restarts_the_worker(processes, folder, handled):
    worker = start(processes, folder)
    assert handled() == "one"
    (folder / "word.py").write_text('WORD = "another"\n')
    worker.wait_for(RESTARTED)
    assert handled() == "another"
    (changed,) = worker.lines("files changed")
    assert changed["files"] == ["word.py"]
    assert len(worker.lines("process started")) == 2
    stop(worker)


def test_a_file_with_a_syntax_error_is_named_and_what_runs_goes_on(processes, folder, handled):
    worker = start(processes, folder)
    assert handled() == "one"
    (folder / "word.py").write_text('\nWORD = "\n')
    worker.wait_for(
        "word.py, line 2: unterminated string literal (detected at line 2);"
        " what runs goes on until the file changes again."
    )
    assert handled() == "one"
    (folder / "word.py").write_text('WORD = "another"\n')
    worker.wait_for(RESTARTED)
    assert handled() == "another"
    assert len(worker.lines("process started")) == 2
    stop(worker)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("word.py", "\nWORD =\n", "it exited with status 78: word.py, line 2: invalid syntax"),
        ("word.py", "WORD = one\n", "it exited with status 1: NameError: name 'one' is not"),
        ("own_app.py", None, "it exited with status 78: There is no module 'own_app'"),
    ],
)
def test_an_app_that_does_not_start_waits_for_the_next_change(
    processes, folder, handled, name, text, why
):
    file = folder / name
    good = file.read_text()
    file.unlink()
    if text is not None:
        file.write_text(text)
    worker = start(processes, folder)
    (ended,) = worker.wait_for("process ended; it waits for a change")
    assert ended["why"].startswith(why)
    file.write_text(good + "\n")
    worker.wait_for(RESTARTED)
    assert handled() == "one"
    stop(worker)
