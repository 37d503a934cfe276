"""Find an app by its name."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from eventstream.errors import InvalidSetting
from eventstream.worker.app import App


def load_app(name: str) -> App:
    """Import the app that `module:attribute` names; the current folder is looked in first.

    Raises:
        InvalidSetting: There is no such module or attribute, it does not compile, it is no app, or
            it has no handlers.
    """
    module_name, separator, attribute = name.partition(":")
    if not (separator and module_name and attribute):
        raise InvalidSetting(
            f"{name!r} does not name an app; write module:attribute, for example orders:app."
        )
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    app: object = _import(module_name)
    for part in attribute.split("."):
        if not hasattr(app, part):
            raise InvalidSetting(f"Module {module_name!r} has no {attribute!r}; check the name.")
        app = getattr(app, part)
    if not isinstance(app, App):
        raise InvalidSetting(
            f"{name!r} is a {type(app).__name__}, not an App; name the object made by App()."
        )
    if not app.subscriptions:
        raise InvalidSetting(f"{name!r} has no handlers; declare one with @app.on(topic).")
    return app


def _import(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise InvalidSetting(
                f"There is no module {missing!r}; check the name, or run the command from the"
                f" folder that holds it (this one is {Path.cwd()})."
            ) from None
        raise InvalidSetting(
            f"Module {name!r} needs {missing!r}, which is not installed here."
        ) from error
    except SyntaxError as error:
        raise InvalidSetting(f"{syntax_problem(error)}; mend the file.") from error


def syntax_problem(error: SyntaxError) -> str:
    """Say in one line what is wrong with a file, and where."""
    return f"{os.path.relpath(error.filename or '')}, line {error.lineno}: {error.msg}"
