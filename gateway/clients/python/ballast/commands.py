"""What a member can send, as methods that both clients share. engine/RULES.md says what the venue does with it.

Each numbers and sends one command and returns its Request; `answer(request)` is what became of it. An instrument is a
symbol or an id of the member's file, a quantity counts whole lots, a price is an int, a Decimal or a text. An order is
named by its Request, by the event of its acceptance, or by its client id.
"""

import time
from collections import namedtuple

from ._schema import (
    MassScope,
    OrderFlags,
    OrdType,
    RejectCode,
    Side,
    SideOrBoth,
    StpMode,
    Tif,
    TriggerCondition,
    TriggerType,
)
from .errors import NoAnswer, Rejected
from .message import Event
from .session import Request, is_refusal

EXEC_ID_MAX = 2**64 - 1
HISTORY_PART = 1_000
QUOTES_MAX = 100

# The open orders of the account as of `exec_id`: messages with a lower one are contained, even if they are told later.
OpenOrders = namedtuple("OpenOrders", ["exec_id", "orders"])

# The connection broke in the middle of an answer of many parts.
CUT_OFF = object()


def answered(request, event, seconds):
    """The answer, unless it is a refusal or did not come."""
    if event is None:
        raise NoAnswer(request, seconds)
    if is_refusal(event):
        raise Rejected(request, event)
    return event


def is_part(event, request):
    """Whether `event` is an open order of the answer to `request`."""
    return event.snapshot and event.name == "OrderAccepted" and event.ref_seq == request.seq


def goes_on_from(request, event, seconds):
    """From which execution id the next part of a history is asked for; None where this was all."""
    if event is not None and event.code == RejectCode.RETRANSMIT_TOO_MANY:
        return event.exec_id
    answered(request, event, seconds)
    return None


class Commands:
    """Needs `config`, and `_send(name, values)` that returns the Request."""

    _last_id = 0

    def next_cl_ord_id(self):
        """An id of this client's own: the time in ns, or one more than the last, so that restarts repeat none."""
        self._last_id = max(self._last_id + 1, time.time_ns())
        return self._last_id

    def buy(self, instrument, qty, price=None, **more):
        """A buy order; `new_order` says what else can be given."""
        return self.new_order(Side.BUY, instrument, qty, price, **more)

    def sell(self, instrument, qty, price=None, **more):
        """A sell order; `new_order` says what else can be given."""
        return self.new_order(Side.SELL, instrument, qty, price, **more)

    def new_order(self, side, instrument, qty, price=None, **more):
        """A limit order until canceled, or without a price a market order.

        `more`: ord_type, tif, expire_time (of Tif.GTD, ns since 1970), display_qty (an iceberg), flags (OrderFlags), stp_mode,
        stp_group, mmp_group (with OrderFlags.MMP), max_delay_us (refused if it arrives later), cl_ord_id.
        """
        return self._send("NewOrder", self._order(side, instrument, qty, price, more))

    def trigger(self, side, instrument, qty, trigger_price, price=None, **more):
        """A stop order, or with `condition` a take-profit: rests armed until the price that it follows reaches `trigger_price`;
        then a limit order at `price`, or without one a market order.

        `more`: condition (TriggerCondition.STOP), trigger_type (TriggerType.MARK), and what `new_order` takes.
        """
        armed = {
            "condition": more.pop("condition", TriggerCondition.STOP),
            "trigger_type": more.pop("trigger_type", TriggerType.MARK),
            "trigger_price": trigger_price,
            "ord_type": OrdType.STOP_MARKET if price is None else OrdType.STOP_LIMIT,
        }
        return self._send("NewTriggerOrder", self._order(side, instrument, qty, price, more) | armed)

    def modify(self, order, *, price=None, qty=None, display_qty=None, flags=0, max_delay_us=0, cl_ord_id=None):
        """Amends an open order. `qty` is its new total, what is filled included; what is not given stays as it is."""
        values = self._named(order, cl_ord_id)
        values.update(price=price, qty=qty, display_qty=display_qty, flags=flags, max_delay_us=max_delay_us)
        return self._send("ModifyOrder", values)

    def cancel(self, order, *, cl_ord_id=None):
        """Cancels an open order."""
        return self._send("CancelOrder", self._named(order, cl_ord_id))

    def mass_cancel(self, scope=MassScope.ACCOUNT, *, side=SideOrBoth.BOTH, instrument=None, **more):
        """Cancels all that is in the scope; with `block_new` 1 new orders are refused from then on, with 2 taken again.

        `more`: underlying_id, kind (an InstrKind, of MassScope.PRODUCT), mmp_group, block_new, cl_ord_id.
        """
        values = {"account_id": self.config.account, "scope": scope, "side": side, **more}
        if instrument is not None:
            values["instrument_id"] = self.config.instrument(instrument).id
        return self._send("MassCancel", self._with_id(values))

    def mass_quote(self, quotes, *, mmp_group=0, flags=0, stp_mode=StpMode.NONE, stp_group=0, max_delay_us=0, quote_id=None):
        """Both sides of up to 100 instruments anew. Each of `quotes` is (instrument, bid, ask), a bid or ask (qty, price) or
        None, which takes that side's quote away. The answer has a status for each side of each."""
        quotes = list(quotes)
        if len(quotes) > QUOTES_MAX:
            raise ValueError(f"a mass quote of {len(quotes)} entries: send at most {QUOTES_MAX} at once")
        values = {
            "quote_id": self.next_cl_ord_id() if quote_id is None else quote_id,
            "account_id": self.config.account,
            "mmp_group": mmp_group,
            "flags": flags,
            "stp_mode": stp_mode,
            "stp_group": stp_group,
            "max_delay_us": max_delay_us,
            "quotes": [self._quote(*quote) for quote in quotes],
        }
        return self._send("MassQuote", values)

    def mmp_config(self, mmp_group, *, window_ms, frozen_ms=0, **limits):
        """The terms of a market-maker protection group. `limits`: qty_limit in lots, count_limit, delta_limit and vega_limit as
        Decimals of lots of the underlying. A freeze of 0 lasts until `mmp_reset`."""
        values = {"account_id": self.config.account, "mmp_group": mmp_group, "window_ms": window_ms, "frozen_ms": frozen_ms}
        return self._send("MmpConfig", self._with_id(values | limits))

    def mmp_reset(self, mmp_group):
        """Ends the freeze of a protection group."""
        values = {"account_id": self.config.account, "mmp_group": mmp_group, "reset": 1}
        return self._send("MmpConfig", self._with_id(values))

    def send(self, name, **values):
        """Any command of the schema by its name and the names of its fields, for what has no method here."""
        return self._send(name, values)

    def _ask_open_orders(self, instrument):
        values = {"account_id": self.config.account}
        if instrument is not None:
            values["instrument_id"] = self.config.instrument(instrument).id
        return self._send("OpenOrdersRequest", self._with_id(values))

    def _ask_history(self, from_exec_id, to_exec_id, cl_ord_id):
        values = {
            "account_id": self.config.account,
            "cl_ord_id": cl_ord_id,
            "from_exec_id": from_exec_id,
            "to_exec_id": to_exec_id,
            "max_count": HISTORY_PART,
        }
        return self._send("ExecHistoryRequest", values)

    def _order(self, side, instrument, qty, price, more):
        market = price is None
        plain = {
            "account_id": self.config.account,
            "instrument_id": self.config.instrument(instrument).id,
            "side": side,
            "qty": qty,
            "price": price,
            "ord_type": OrdType.MARKET if market else OrdType.LIMIT,
            "tif": Tif.IOC if market else Tif.GTC,
            "stp_mode": StpMode.NONE,
            "flags": OrderFlags(0),
        }
        return self._with_id(plain | more)

    def _named(self, order, cl_ord_id):
        values = {"account_id": self.config.account, "cl_ord_id": cl_ord_id}
        if isinstance(order, Event):
            values["order_id"] = order.order_id
        elif isinstance(order, Request):
            values["orig_cl_ord_id"] = order.cl_ord_id
        else:
            values["orig_cl_ord_id"] = order
        return self._with_id(values)

    def _with_id(self, values):
        if values.get("cl_ord_id") is None:
            values["cl_ord_id"] = self.next_cl_ord_id()
        return values

    def _quote(self, instrument, bid, ask):
        (bid_qty, bid_px), (ask_qty, ask_px) = bid or (0, None), ask or (0, None)
        return {
            "instrument_id": self.config.instrument(instrument).id,
            "bid_px": bid_px,
            "bid_qty": bid_qty,
            "ask_px": ask_px,
            "ask_qty": ask_qty,
        }
