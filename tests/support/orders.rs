//! Commands as a test writes them: every field that the rules want null is null.

use engine::command::{CancelOrder, NewOrder};
use engine::message::{NULL_I64, NULL_U64};
use zerocopy::little_endian::{I64, U16, U32, U64};

/// `side` 1 buy, 2 sell; `tif` 2 Gtc, 3 Ioc; `price9` in 1e-9.
pub fn limit(
    account: u32,
    instrument: u32,
    side: u8,
    price9: i64,
    qty: i64,
    tif: u8,
    cl_ord_id: u64,
) -> NewOrder {
    NewOrder {
        cl_ord_id: U64::new(cl_ord_id),
        price: I64::new(price9),
        qty: I64::new(qty),
        display_qty: I64::new(NULL_I64),
        expire_time: U64::new(NULL_U64),
        instrument_id: U32::new(instrument),
        account_id: U32::new(account),
        stp_group: U32::new(0),
        max_delay_us: U32::new(0),
        side,
        ord_type: 1,
        tif,
        stp_mode: 1,
        flags: U16::new(0),
        mmp_group: U16::new(0),
    }
}

/// A cancel by client order id.
pub fn cancel(account: u32, cl_ord_id: u64, orig_cl_ord_id: u64) -> CancelOrder {
    CancelOrder {
        cl_ord_id: U64::new(cl_ord_id),
        orig_cl_ord_id: U64::new(orig_cl_ord_id),
        order_id: U64::new(0),
        instrument_id: U32::new(0),
        account_id: U32::new(account),
    }
}
