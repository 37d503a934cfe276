"""The folder of schemas: read at the start, followed, and changed by one at a time."""

from __future__ import annotations

import multiprocessing
import os

import pytest
from structlog.testing import capture_logs

from eventstream.errors import InvalidSetting
from eventstream.gateway.problems import Rejected
from eventstream.gateway.schemas import Schemas
from eventstream.gateway.schemas.folder import Conditions, Folder
from eventstream.settings import SchemaSettings

TEXT = b'{"type":"string"}'
WIDER = b'{"type":["string","null"]}'
OTHER = b'{"type":"object"}'


@pytest.fixture
def start(tmp_path):
    return lambda: Schemas(SchemaSettings(schemas=tmp_path))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path, "backward")


def refused(change, *arguments) -> tuple[int, str]:
    with pytest.raises(Rejected) as rejected:
        change(*arguments)
    return rejected.value.problem.status, rejected.value.problem.detail


def test_a_start_reads_every_schema(start, tmp_path):
    (tmp_path / "orders.json").write_bytes(TEXT)
    (tmp_path / "README").write_bytes(b"no schema")
    schemas = start()
    assert set(schemas.documents) == {"orders"}
    assert schemas.check("orders", b"7").status == 422


def test_a_broken_schema_stops_a_start_with_one_sentence(start, tmp_path):
    (tmp_path / "orders.json").write_bytes(b'{"type":7}')
    with pytest.raises(InvalidSetting, match=r"orders\.json is not a topic's schema: At /type: 7"):
        start()


def test_a_name_that_no_topic_can_have_stops_a_start(start, tmp_path):
    (tmp_path / "all orders.json").write_bytes(TEXT)
    with pytest.raises(InvalidSetting, match="'all orders' cannot be a topic's name"):
        start()


def test_a_folder_that_is_not_there_stops_a_start(tmp_path):
    with pytest.raises(InvalidSetting, match="No such file or directory; make the folder"):
        Schemas(SchemaSettings(schemas=tmp_path / "nowhere"))


def test_a_tick_sees_what_others_wrote_changed_and_removed(start, tmp_path):
    schemas = start()
    path = tmp_path / "orders.json"
    path.write_bytes(TEXT)
    schemas.tick()
    assert schemas.check("orders", b"null") is not None
    path.write_bytes(WIDER)
    schemas.tick()
    assert schemas.check("orders", b"null") is None
    path.unlink()
    schemas.tick()
    assert schemas.check("orders", b"7") is None


def test_a_replaced_file_of_the_same_size_and_time_is_seen(start, tmp_path):
    path, arriving = tmp_path / "orders.json", tmp_path / "arriving"
    path.write_bytes(b'{"const":1}')
    schemas = start()
    arriving.write_bytes(b'{"const":2}')
    times = path.stat()
    os.utime(arriving, ns=(times.st_atime_ns, times.st_mtime_ns))
    arriving.replace(path)
    schemas.tick()
    assert schemas.check("orders", b"2") is None


def test_a_file_that_breaks_keeps_the_schema_and_is_told_once(start, tmp_path):
    path = tmp_path / "orders.json"
    path.write_bytes(TEXT)
    schemas = start()
    path.write_bytes(b"{")
    with capture_logs() as lines:
        schemas.tick()
        schemas.tick()
    assert [line["event"] for line in lines] == [
        "the file is not a schema; the topic keeps the one it has"
    ]
    assert lines[0]["topic"] == "orders"
    assert schemas.check("orders", b"7") is not None
    path.write_bytes(WIDER)
    schemas.tick()
    assert schemas.check("orders", b"null") is None


def test_a_folder_that_goes_away_takes_no_schema_with_it(start, tmp_path):
    (tmp_path / "orders.json").write_bytes(TEXT)
    schemas = start()
    away = tmp_path.with_name(tmp_path.name + "-away")
    tmp_path.rename(away)
    with capture_logs() as lines:
        schemas.tick()
        schemas.tick()
    assert len(lines) == 1
    assert schemas.check("orders", b"7") is not None
    away.rename(tmp_path)


def test_nothing_is_read_while_nothing_changes(start, tmp_path):
    (tmp_path / "orders.json").write_bytes(TEXT)
    schemas = start()
    before = schemas.documents["orders"]
    schemas.tick()
    assert schemas.documents["orders"] is before


def test_a_first_schema_needs_no_condition(folder):
    document, is_first = folder.put("orders", TEXT, Conditions())
    assert is_first
    assert folder.read("orders").etag == document.etag
    assert {path.name for path in folder.path.iterdir()} == {"orders.json", "schemas.lock"}


def test_a_change_says_which_schema_it_is_of(folder):
    first, _ = folder.put("orders", TEXT, Conditions())
    status, detail = refused(folder.put, "orders", WIDER, Conditions())
    assert (status, "If-Match" in detail) == (428, True)
    assert refused(folder.put, "orders", WIDER, Conditions(if_match='"other"'))[0] == 412
    assert refused(folder.put, "orders", WIDER, Conditions(if_none_match="*"))[0] == 412
    assert folder.read("orders").text == TEXT
    second, is_first = folder.put("orders", WIDER, Conditions(if_match=f'"x", {first.etag}'))
    assert not is_first
    assert folder.read("orders").etag == second.etag != first.etag


def test_a_condition_on_no_schema_does_not_hold(folder):
    assert refused(folder.put, "orders", TEXT, Conditions(if_match="*"))[0] == 412
    folder.put("orders", TEXT, Conditions(if_none_match="*"))


def test_putting_the_same_again_changes_nothing_and_succeeds(folder):
    first, _ = folder.put("orders", TEXT, Conditions())
    inode = (folder.path / "orders.json").stat().st_ino
    again, is_first = folder.put("orders", TEXT, Conditions(if_match='"gone"'))
    assert (again.etag, is_first) == (first.etag, False)
    assert (folder.path / "orders.json").stat().st_ino == inode


def test_an_incompatible_schema_is_put_by_force_alone(folder):
    first, _ = folder.put("orders", TEXT, Conditions())
    status, detail = refused(folder.put, "orders", OTHER, Conditions(if_match=first.etag))
    assert status == 409
    assert detail == (
        "The new schema may refuse events that the old one accepts: at /type, string is refused."
        " Put it with ?force=true to have it all the same."
    )
    assert folder.read("orders").text == TEXT
    folder.put("orders", OTHER, Conditions(if_match=first.etag, force=True))
    assert folder.read("orders").text == OTHER


def test_a_folder_without_compatibility_takes_any_schema(tmp_path):
    folder = Folder(tmp_path, "none")
    folder.put("orders", TEXT, Conditions())
    folder.put("orders", OTHER, Conditions(if_match="*"))
    assert folder.read("orders").text == OTHER


def test_a_broken_file_is_replaced_by_force_alone(folder):
    (folder.path / "orders.json").write_bytes(b"{")
    assert refused(folder.put, "orders", TEXT, Conditions())[0] == 409
    _, is_first = folder.put("orders", TEXT, Conditions(force=True))
    assert not is_first
    assert folder.read("orders").text == TEXT


def test_what_is_no_schema_leaves_everything_as_it_was(folder):
    status, detail = refused(folder.put, "orders", b'{"type":7}', Conditions())
    assert status == 422
    assert detail.startswith("This is not a schema: At /type: 7 is not")
    assert folder.read("orders") is None


@pytest.mark.parametrize("name", ["..", "a/b", "../orders", "", "a b", "x" * 250])
def test_no_name_leads_out_of_the_folder(folder, name):
    assert refused(folder.put, name, TEXT, Conditions())[0] == 400
    assert refused(folder.delete, name, Conditions())[0] == 400


def test_the_longest_name_has_room(folder):
    folder.put("x" * 249, TEXT, Conditions())
    assert folder.read("x" * 249).text == TEXT


def test_a_schema_is_removed_under_the_same_conditions(folder):
    assert refused(folder.delete, "orders", Conditions())[0] == 404
    first, _ = folder.put("orders", TEXT, Conditions())
    assert refused(folder.delete, "orders", Conditions())[0] == 428
    assert refused(folder.delete, "orders", Conditions(if_match='"other"'))[0] == 412
    folder.delete("orders", Conditions(if_match=first.etag))
    assert folder.read("orders") is None


def change_until_refused(path, mark, rounds):
    """Add a branch to the schema's enumeration, again whenever somebody was faster."""
    folder = Folder(path, "backward")
    for number in range(rounds):
        while True:
            before = folder.read("counts")
            text = before.text[:-2] + b',"%d-%d"]}' % (mark, number)
            try:
                folder.put("counts", text, Conditions(if_match=before.etag))
                break
            except Rejected as rejected:
                assert rejected.problem.status == 412  # noqa: PT017 - in another process


def test_changes_by_several_processes_lose_none(folder):
    folder.put("counts", b'{"enum":["start"]}', Conditions())
    context = multiprocessing.get_context("spawn")
    changing = [
        context.Process(target=change_until_refused, args=(folder.path, mark, 15))
        for mark in range(3)
    ]
    for process in changing:
        process.start()
    for process in changing:
        process.join(60)
        assert process.exitcode == 0
    assert len(folder.read("counts").root.schema["enum"]) == 1 + 3 * 15
