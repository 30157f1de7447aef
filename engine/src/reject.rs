//! Why a request was refused: the codes of the protocol, stable for ever, listed in the order in which the rules are
//! checked within each range. The fields that a code points to are numbered from 1 in wire order.

/// One row per code: variant, number, what a member reads.
macro_rules! rejects {
    ($($name:ident = $code:literal, $text:literal;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Reject { $($name = $code),+ }

        impl Reject {
            pub const ALL: &'static [Reject] = &[$(Reject::$name),+];

            pub fn code(self) -> u16 {
                self as u16
            }

            pub fn from_code(code: u16) -> Option<Reject> {
                Reject::ALL.iter().copied().find(|reject| reject.code() == code)
            }

            /// The name on the wire's side of the documents, as in `reject_codes.csv`.
            pub fn text(self) -> &'static str {
                match self { $(Reject::$name => $text),+ }
            }
        }
    };
}

rejects! {
    BadFrame = 1, "frame length is impossible";
    BadEncodingType = 2, "encoding type is not 0xEB50";
    FrameTooLong = 3, "frame is longer than maxFrame";
    UnknownTemplate = 4, "template is unknown or not for this direction";
    BadBlockLength = 5, "block length is not the template's";
    SchemaMismatch = 6, "schema id is not 7701";
    VersionUnsupported = 7, "schema version is not supported";
    NotEstablished = 8, "not logged on";
    UnknownSession = 9, "session is unknown";
    UnknownKey = 10, "key is unknown for this session";
    BadSignature = 11, "signature does not verify";
    ChallengeExpired = 12, "challenge expired or was used";
    KeyRevoked = 13, "key is revoked";
    AddressNotAllowed = 14, "address is not allowed for this key";
    Displaced = 15, "a newer logon took the session";
    HeartbeatLost = 16, "nothing was heard for two keep-alives";
    SlowConsumer = 17, "output was not read in time";
    DuplicateSeq = 18, "sequence number was used before";
    SeqOutOfRange = 19, "sequence number is out of range";
    RetransmitTooOld = 20, "retransmission starts before the oldest kept message";
    RetransmitTooMany = 21, "retransmission asks for too many messages";
    RetransmitBusy = 22, "a retransmission is already under way";
    SeqRegressed = 23, "the client knows more messages than the venue";
    ServerShutdown = 24, "the venue is shutting down";
    LogonRate = 25, "too many failed logons";
    ReservedBitsSet = 26, "reserved frame flags are set";

    UnknownInstrument = 100, "instrument is unknown";
    UnknownAccount = 101, "account is unknown";
    NotYourAccount = 102, "account is not this session's";
    InvalidSide = 103, "side is not Buy or Sell";
    InvalidOrdType = 104, "order type is not supported";
    InvalidTif = 105, "time in force is not supported";
    InvalidCombination = 106, "flags or fields are out of range or exclude each other";
    PriceNotOnTick = 107, "price is not on the tick";
    PriceRequired = 108, "price is required";
    PriceForbidden = 109, "price is not allowed here";
    QtyNotPositive = 110, "quantity is not positive";
    QtyTooSmall = 111, "quantity is too small";
    QtyTooLarge = 112, "quantity is too large";
    DisplayQtyInvalid = 113, "display quantity is not valid";
    ExpireTimeInvalid = 114, "expire time is not valid";
    DuplicateClOrdId = 115, "client order id was used before";
    UnknownOrder = 116, "order is unknown";
    OrderAlreadyDone = 117, "order is already done";
    TooManyQuotes = 118, "too many quotes";
    DuplicateQuoteEntry = 119, "instrument is quoted twice";
    NoChange = 120, "nothing would change";

    WouldCross = 150, "post-only order would cross";
    FokNotFillable = 151, "order cannot be filled whole";
    NoLiquidity = 152, "no liquidity";
    SelfTrade = 153, "order would trade with itself";
    ReduceOnly = 154, "order would not reduce the position";
    StaleRequest = 155, "request arrived too late";
    TriggerWrongSide = 156, "trigger is on the wrong side";

    InsufficientMargin = 200, "margin is insufficient";
    PositionLimit = 201, "position limit";
    OpenOrderLimit = 202, "open order limit";
    NotionalLimit = 203, "notional limit";
    MaxOrderValue = 204, "order value is too large";
    AccountBlocked = 205, "account is blocked";
    InLiquidation = 206, "account is in liquidation";
    ReduceOnlyAccount = 207, "account may only reduce";
    NoMarkPrice = 208, "no mark price";
    MmpFrozen = 209, "market-maker protection is frozen";
    MmpNotConfigured = 210, "market-maker protection is not configured";
    MmpMaxQuoteQty = 211, "quote exceeds the protection's quantity";

    Closed = 300, "market is closed";
    Halted = 301, "market is halted";
    CancelOnly = 302, "market is cancel-only";
    AuctionRule = 303, "not allowed in an auction";
    PriceAboveBand = 304, "price is above the band";
    PriceBelowBand = 305, "price is below the band";
    ExpiredInstrument = 306, "instrument has expired";
    Settling = 307, "instrument is settling";

    ThrottledOrders = 400, "order rate exceeded";
    ThrottledQuotes = 401, "quote rate exceeded";
    TooManyPending = 402, "too many unanswered changes";
    Permission = 403, "the session's role does not allow this";
    Capacity = 404, "a capacity of the venue is used up";
    AlreadyExists = 405, "the name or number is taken";
    InvalidParameter = 406, "a parameter is out of range";

    Internal = 500, "internal error";
    NotPrimary = 502, "this venue is not the primary";
    JournalFull = 503, "the journal is full";
}
