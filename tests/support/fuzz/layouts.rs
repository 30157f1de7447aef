//! The commands as rows of fields, each with the kind of value that an input chooses for it. Knows widths, no rule.

use engine::command::*;
use engine::message::Message;

/// What a field may be taken from besides any bits at all; see `values`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The byte of the input itself.
    Byte,
    /// One byte, repeated over the field.
    Fill,
    /// Small numbers.
    Small,
    /// Null, or a small number.
    Limit,
    Instrument,
    Account,
    /// Of an open order, or none.
    OrderId,
    /// The client id of an open order, or none.
    Named,
    ClientId,
    Price,
    Qty,
    /// A moment, or null.
    Time,
    /// A moment, or 0.
    Until,
    Ppm,
    Amount,
    /// What a combo multiplies a leg by.
    Ratio,
}

use Kind::*;

/// Width in bytes and kind, in wire order.
pub type Row = &'static [(usize, Kind)];

pub struct Layout {
    pub template: u16,
    pub row: Row,
}

#[rustfmt::skip]
const NEW_ORDER: Row = &[
    (8, ClientId), (8, Price), (8, Qty), (8, Limit), (8, Time),
    (4, Instrument), (4, Account), (4, Small), (4, Small),
    (1, Byte), (1, Byte), (1, Byte), (1, Byte), (2, Small), (2, Small),
];

/// One entry of a mass quote.
pub const QUOTE_ENTRY: Row = &[(4, Instrument), (4, Small), (8, Price), (8, Qty), (8, Price), (8, Qty)];

/// What is asked for most often stands more often.
#[rustfmt::skip]
const LAYOUTS: &[Layout] = &[
    Layout { template: NewOrder::TEMPLATE, row: NEW_ORDER },
    Layout { template: ModifyOrder::TEMPLATE, row: &[
        (8, ClientId), (8, Named), (8, OrderId), (8, Price), (8, Qty), (8, Limit),
        (4, Instrument), (4, Small), (2, Small), (2, Small), (4, Account),
    ] },
    Layout { template: CancelOrder::TEMPLATE, row: &[
        (8, ClientId), (8, Named), (8, OrderId), (4, Instrument), (4, Account),
    ] },
    Layout { template: NewTriggerOrder::TEMPLATE, row: &[
        (8, ClientId), (8, Price), (8, Qty), (8, Limit), (8, Time),
        (4, Instrument), (4, Account), (4, Small), (4, Small),
        (1, Byte), (1, Byte), (1, Byte), (1, Byte), (2, Small), (2, Small),
        (8, Price), (8, Limit), (4, Small), (1, Byte), (1, Byte), (2, Small),
    ] },
    Layout { template: MassQuote::TEMPLATE, row: &[
        (8, ClientId), (4, Account), (4, Small), (4, Small), (2, Small), (1, Byte), (1, Byte), (2, Small), (2, Small),
    ] },
    Layout { template: MarkPrice::TEMPLATE, row: &[(8, Price), (4, Instrument), (4, Small)] },
    Layout { template: MassCancel::TEMPLATE, row: &[
        (8, ClientId), (4, Account), (4, Instrument), (4, Small), (2, Small),
        (1, Byte), (1, Byte), (1, Byte), (1, Byte), (2, Small), (4, Small),
    ] },
    Layout { template: InstrumentState::TEMPLATE, row: &[(4, Instrument), (1, Byte), (1, Byte), (2, Small), (8, Until)] },
    Layout { template: NewOrder::TEMPLATE, row: NEW_ORDER },
    Layout { template: MmpConfig::TEMPLATE, row: &[
        (8, ClientId), (4, Account), (2, Small), (1, Byte), (1, Byte), (4, Small), (4, Small),
        (8, Limit), (8, Limit), (8, Limit), (4, Small), (4, Small),
    ] },
    Layout { template: OpenOrdersRequest::TEMPLATE, row: &[(8, ClientId), (4, Account), (4, Instrument)] },
    Layout { template: IndexPrice::TEMPLATE, row: &[(8, Price), (4, Instrument), (4, Small)] },
    Layout { template: Sensitivity::TEMPLATE, row: &[(8, Amount), (8, Amount), (4, Instrument), (4, Small)] },
    Layout { template: Deposit::TEMPLATE, row: &[(8, Small), (8, Amount), (4, Account), (4, Small)] },
    Layout { template: Logon::TEMPLATE, row: &[
        (8, Small), (8, Small), (8, Small), (8, Small), (4, Small), (2, Small), (1, Byte), (1, Byte), (4, Small), (4, Small),
        (64, Fill),
    ] },
    Layout { template: Refused::TEMPLATE, row: &[(2, Small), (2, Small), (2, Small), (2, Small)] },
    Layout { template: NewOrder::TEMPLATE, row: NEW_ORDER },
    Layout { template: Continue::TEMPLATE, row: &[(8, OrderId)] },
    Layout { template: Tick::TEMPLATE, row: &[(8, Small)] },
    Layout { template: VenueState::TEMPLATE, row: &[(1, Byte), (1, Byte), (2, Small), (4, Small)] },
    Layout { template: InstrumentCreate::TEMPLATE, row: &[
        (32, Fill), (8, Amount), (8, Amount), (8, Amount), (8, Amount), (8, Qty), (4, Instrument), (4, Small),
        (4, Ppm), (4, Ppm), (4, Ppm), (1, Byte), (1, Byte), (2, Small), (4, Ppm), (4, Small), (8, Small),
    ] },
    Layout { template: ComboCreate::TEMPLATE, row: &[
        (32, Fill), (4, Instrument), (4, Instrument), (4, Instrument), (4, Instrument),
        (4, Ratio), (4, Ratio), (4, Ratio), (4, Ratio), (8, Qty), (4, Small), (4, Ppm),
    ] },
    Layout { template: AccountCreate::TEMPLATE, row: &[(16, Fill), (4, Small), (4, Small)] },
    Layout { template: SessionCreate::TEMPLATE, row: &[(8, Small), (4, Small), (1, Byte), (1, Byte), (2, Small)] },
    Layout { template: VenueOpen::TEMPLATE, row: &[(64, Fill), (8, Small), (8, Small)] },
    Layout { template: NewOrder::TEMPLATE, row: NEW_ORDER },
];

#[rustfmt::skip]
const HISTORY: Layout = Layout { template: ExecHistoryRequest::TEMPLATE, row: &[
    (8, Named), (8, Small), (8, Limit), (4, Account), (4, Small),
] };

/// What a number up to `last` stands for: `last` itself for a history, the others for the rows, round and round.
pub fn layout(number: u8, last: u8) -> &'static Layout {
    if number == last { &HISTORY } else { &LAYOUTS[usize::from(number) % LAYOUTS.len()] }
}

/// The number of the layout of a template.
pub fn number(template: u16, last: u8) -> Option<u8> {
    let row = || LAYOUTS.iter().position(|it| it.template == template).map(|index| index as u8);
    if template == HISTORY.template { Some(last) } else { row() }
}

impl Layout {
    /// Length of the block, without a group.
    pub fn block_bytes(&self) -> usize {
        self.row.iter().map(|(width, _)| width).sum()
    }
}

#[cfg(test)]
mod tests {
    use engine::command::{Command, session_block_bytes};
    use engine::message::{Header, SCHEMA_ORDER_ENTRY, SCHEMA_VERSION};
    use zerocopy::IntoBytes;

    use super::*;

    #[test]
    fn rows_are_as_long_as_their_blocks() {
        for layout in LAYOUTS.iter().chain([&HISTORY]).filter(|it| it.template != MassQuote::TEMPLATE) {
            let header = Header {
                block_length: (layout.block_bytes() as u16).into(),
                template_id: layout.template.into(),
                schema_id: SCHEMA_ORDER_ENTRY.into(),
                version: SCHEMA_VERSION.into(),
            };
            let mut message = header.as_bytes().to_vec();
            message.resize(message.len() + layout.block_bytes(), 0);
            assert!(Command::read(&message).is_some(), "template {}", layout.template);
        }
        let quote = LAYOUTS.iter().find(|it| it.template == MassQuote::TEMPLATE).expect("it has a row");
        assert_eq!(Some(quote.block_bytes()), session_block_bytes(MassQuote::TEMPLATE));
        assert_eq!(QUOTE_ENTRY.iter().map(|it| it.0).sum::<usize>(), size_of::<QuoteEntry>());
    }
}
