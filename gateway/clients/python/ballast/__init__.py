"""Order entry for a Ballast venue: `connect` blocks, `AsyncClient` is for asyncio, both resume by themselves.

Prices and money are Decimals, quantities are whole lots; a float is refused. gateway/PROTOCOL.md is what is spoken.
"""

from ._schema import (
    CancelReason,
    CodMode,
    Liquidity,
    MassScope,
    OrderFlags,
    OrdStatus,
    OrdType,
    RejectCode,
    Side,
    SideOrBoth,
    StpMode,
    Tif,
    TradingState,
    TriggerCondition,
    TriggerType,
)
from .aio import AsyncClient
from .book import Book, Feed
from .client import Client
from .config import Config, Instrument
from .errors import (
    BallastError,
    ConfigError,
    ConnectionLost,
    Disconnected,
    Dropped,
    Forgotten,
    HistoryChanged,
    LoggedOut,
    LogonRefused,
    NoAnswer,
    ProtocolError,
    Rejected,
    Silent,
    TooManyUnanswered,
    Unreachable,
)
from .market import MarketData
from .message import Event
from .session import Options, Request

__version__ = "0.1.0"


def connect(path, **options):
    """Logs on with the file that the member was given, DIR/clients/NAME.toml; `Client` says what the options are."""
    return Client(Config.load(path), **options)


__all__ = [name for name in dir() if not name.startswith("_")]
