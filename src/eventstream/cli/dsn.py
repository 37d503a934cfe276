"""`eventstream dsn`."""

from typing import Annotated

import typer

from eventstream.cli.options import with_settings
from eventstream.settings import HomeSettings, StoreSettings


@with_settings
def dsn(
    database: Annotated[str, typer.Argument(help="postgres or redis.")],
    home: HomeSettings,
    stores: StoreSettings,
) -> None:
    """Print how to reach a database of the running stack, password included.

    Examples:
      psql "$(eventstream dsn postgres)"
      redis-cli -u "$(eventstream dsn redis)"
    """
    from eventstream.local.stores import address_of

    print(address_of(database, home, stores))
