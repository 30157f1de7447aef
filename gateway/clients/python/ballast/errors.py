"""What can go wrong, each as a sentence that says what to do next. `heals` tells whether a new logon may succeed."""

from ._schema import REJECT_TEXT, RejectCode

_PASSING = {
    RejectCode.SERVER_SHUTDOWN,
    RejectCode.LOGON_RATE,
    RejectCode.CHALLENGE_EXPIRED,
    RejectCode.SLOW_CONSUMER,
    RejectCode.HEARTBEAT_LOST,
    RejectCode.NOT_PRIMARY,
    RejectCode.JOURNAL_FULL,
}

_REMEDIES = {
    RejectCode.UNKNOWN_SESSION: "check `session` in the member's file",
    RejectCode.UNKNOWN_KEY: "check `key_id` in the member's file",
    RejectCode.BAD_SIGNATURE: "check `key_file` in the member's file: it is not the key that the venue knows",
    RejectCode.KEY_REVOKED: "ask the operator of the venue for a new key",
    RejectCode.ADDRESS_NOT_ALLOWED: "connect from an address that the key allows, or ask the operator to allow this one",
    RejectCode.DISPLACED: "another client uses this session: stop one of the two",
    RejectCode.VERSION_UNSUPPORTED: "install a client of the venue's version",
    RejectCode.INVALID_PARAMETER: "keep_alive_ms is 100 to 60000",
    RejectCode.JOURNAL_FULL: "the venue has no room on its disk: try again later, or ask its operator",
    RejectCode.THROTTLED_ORDERS: "wait, and send fewer requests a second",
    RejectCode.DUPLICATE_CL_ORD_ID: "the order with this id exists: `order_id` of the answer names it",
    RejectCode.PRICE_NOT_ON_TICK: "make the price a multiple of the instrument's tick",
    RejectCode.INSUFFICIENT_MARGIN: "`detail` is the money that is missing, in 1e-6: quote less, or deposit",
    RejectCode.PRICE_ABOVE_BAND: "`detail` is the highest price allowed, in 1e-9",
    RejectCode.PRICE_BELOW_BAND: "`detail` is the lowest price allowed, in 1e-9",
    RejectCode.STALE_REQUEST: "`detail` is by how many ns it was late: check this machine's clock, or allow more max_delay_us",
    RejectCode.MMP_FROZEN: "wait, or send mmp_reset",
}


def describe(code):
    """Number, name and meaning of a reject code."""
    if code is None:
        return "no reason given"
    name = code.name if isinstance(code, RejectCode) else "UNKNOWN"
    return f"{name} ({int(code)}): {REJECT_TEXT.get(int(code), 'a code that this client does not know')}"


def remedy(code):
    """What to do about a reject code."""
    if code in _REMEDIES:
        return _REMEDIES[code]
    return "try again in a moment" if code in _PASSING else "`ballast explain` and gateway/PROTOCOL.md say more"


class BallastError(Exception):
    """Whatever this package raises by itself."""

    heals = False


class ConfigError(BallastError):
    """The member's file, its key, or the saved position cannot be used."""


class Unreachable(BallastError):
    """No connection, or no answer to the logon."""

    heals = True

    def __init__(self, address, why):
        super().__init__(f"{address}: {why}; does the venue run there? `ballast serve DIR` starts it")


class ConnectionLost(BallastError):
    """The connection broke."""

    heals = True

    def __init__(self, why):
        super().__init__(f"the connection was lost: {why}; connect again, and the session goes on where it stood")


class Disconnected(BallastError):
    """There is no connection to send on."""

    def __init__(self, why):
        super().__init__(f"nothing was sent: {why}; wait for the event Resumed, or connect again")


class Silent(ConnectionLost):
    """The venue did not answer a test request."""

    def __init__(self, seconds):
        super().__init__(f"the venue was silent for {seconds:.1f} s, two keep-alives")


class ProtocolError(BallastError):
    """The venue sent what no venue sends."""

    heals = True

    def __init__(self, why):
        super().__init__(
            f"the venue sent {why}; check that `address` is a venue's of this client's version, and "
            "that the member's file has a `certificate` if it wants TLS"
        )


class _Coded(BallastError):
    def __init__(self, said, code, text, retry_after_ms=0):
        self.code, self.text, self.retry_after_ms = code, text, retry_after_ms
        told = describe(code)
        # The venue's text is the meaning of its code, cut to its field, or more than that.
        more = f" ({text})" if text and text not in told else ""
        super().__init__(f"{said}, {told}{more}; {remedy(code)}")

    @property
    def heals(self):
        return self.code in _PASSING


class LogonRefused(_Coded):
    """The venue answered the logon with no."""

    def __init__(self, code, text, retry_after_ms=0):
        super().__init__("the venue refused the logon", code, text, retry_after_ms)


class LoggedOut(_Coded):
    """The venue said goodbye."""

    def __init__(self, code, text):
        super().__init__("the venue ended the connection", code, text)

    @property
    def heals(self):
        return self.code is None or self.code in _PASSING


class Forgotten(BallastError):
    """The venue keeps no longer what was asked for."""

    def __init__(self, asked, oldest):
        self.asked, self.oldest = asked, oldest
        super().__init__(
            f"message {asked} was asked for and the venue keeps {oldest} and later; remove the saved position, connect, "
            "and take what is missing from history()"
        )


class HistoryChanged(BallastError):
    """What the venue knows of this session is not what it said before."""

    def __init__(self, why):
        super().__init__(
            f"{why}: the venue's history is another one, or the session was used elsewhere; forget what it told, remove "
            "the saved position, connect, and rebuild from open_orders() and history()"
        )


class TooManyUnanswered(BallastError):
    """As many commands wait for an answer as `unanswered_max` allows."""

    def __init__(self, count):
        super().__init__(f"{count} commands wait for an answer; read events before sending more")


class NoAnswer(BallastError, TimeoutError):
    """An answer did not come in time."""

    def __init__(self, request, seconds):
        self.request = request
        super().__init__(
            f"no answer to {request.name} {request.cl_ord_id} within {seconds:g} s; it may still be applied: wait on with "
            "answer(request), or look at open_orders()"
        )


class Dropped(BallastError):
    """A command that the venue had not seen when the connection broke, with `resend` off."""

    def __init__(self, request):
        self.request = request
        super().__init__(
            f"{request.name} {request.cl_ord_id} was cut off with its connection and is not applied; send it anew if it "
            "is still wanted"
        )


class Rejected(BallastError):
    """A request was refused; `event` is the venue's answer, `code` its reason."""

    def __init__(self, request, event):
        self.request, self.event = request, event
        if event.name == "NotApplied":
            self.code, said = None, "never reached the venue"
        else:
            self.code = event.code
            said = f"was refused, {describe(event.code)}"
            if getattr(event, "detail", 0):
                said += f" (detail {event.detail})"
        super().__init__(f"{request.name} {request.cl_ord_id} {said}; {remedy(self.code)}")
