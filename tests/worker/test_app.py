import sys

import pytest

from eventstream import App
from eventstream.errors import InvalidSetting
from eventstream.worker.loading import load_app


async def handle(event):
    pass


def test_a_handler_keeps_its_name_and_its_choices():
    app = App()
    assert app.on("orders", concurrency=3, order="partition")(handle) is handle
    (subscription,) = app.subscriptions
    assert subscription.topic == "orders"
    assert subscription.handler is handle
    assert subscription.concurrency == 3
    assert subscription.order == "partition"


def test_a_topic_has_one_handler():
    app = App()
    app.on("orders")(handle)
    with pytest.raises(InvalidSetting, match="'orders' has a handler already"):
        app.on("orders")(handle)


def test_concurrency_has_a_least_value():
    with pytest.raises(InvalidSetting, match="concurrency is 0"):
        App().on("orders", concurrency=0)(handle)


def test_an_unknown_order_is_refused():
    with pytest.raises(InvalidSetting, match="choose one of key, partition, none"):
        App().on("orders", order="keys")(handle)


def test_a_time_out_is_for_async_handlers_and_above_0():
    with pytest.raises(InvalidSetting, match="timeout_s is 0; it must be above 0"):
        App().on("orders", timeout_s=0)(handle)
    with pytest.raises(InvalidSetting, match="a plain function runs in a thread"):
        App().on("orders", timeout_s=1)(lambda event: event)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 0}, "size is 0, but the least it can be is 1"),
        ({"concurrency": 0}, "concurrency is 0, but the least it can be is 1"),
        ({"within_s": -1}, "within_s is -1; it cannot be below 0"),
        ({"order": "partition"}, "order must be 'key' or 'none'"),
        ({"on_failure": "drop"}, "choose one of deadletter, park, stop"),
    ],
)
def test_batches_have_bounds(options, sentence):
    async def keep(orders):
        return orders

    with pytest.raises(InvalidSetting, match=sentence):
        App().batch("orders", **options)(keep)


def test_a_handler_of_batches_takes_lists():
    async def keep(order: dict):
        return order

    with pytest.raises(InvalidSetting, match=r"annotate what it takes as a list"):
        App().batch("orders")(keep)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "shop_of_tests.py").write_text(
        "from eventstream import App\n"
        "app = App()\nempty = App()\nnothing = 3\n"
        "class nested:\n    app = app\n"
        "@app.on('orders')\ndef handle(event): pass\n"
    )
    (tmp_path / "needy_shop.py").write_text("import no_such_library\n")
    yield tmp_path
    sys.modules.pop("shop_of_tests", None)


@pytest.mark.parametrize("name", ["shop_of_tests:app", "shop_of_tests:nested.app"])
@pytest.mark.usefixtures("folder")
def test_an_app_is_found_in_this_folder(name):
    assert [one.topic for one in load_app(name).subscriptions] == ["orders"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("shop_of_tests", "write module:attribute"),
        ("shop_of_tests:", "write module:attribute"),
        ("no_such_shop:app", r"no module 'no_such_shop'.*run the command from the folder"),
        ("no_such_shop.handlers:app", "no module 'no_such_shop'"),
        ("shop_of_tests:apps", "'shop_of_tests' has no 'apps'"),
        ("shop_of_tests:nothing", "is a int, not an App"),
        ("shop_of_tests:empty", "has no handlers"),
        ("needy_shop:app", "'needy_shop' needs 'no_such_library'"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_not_an_app_is_named_in_a_sentence(name, sentence):
    with pytest.raises(InvalidSetting, match=sentence):
        load_app(name)
