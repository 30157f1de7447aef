//! A market maker that calls back: quotes both sides of one instrument, leans against its position, quotes anew after every fill.
//!
//! ```sh
//! cargo run -p ballast-client --example maker -- ballast-dev/clients/alice.toml BTC-PERP 50000
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ballast_client::event::{MassQuoteAck, OrderExecuted, QuoteAckEntry};
use ballast_client::{
    Client, ClientConfig, ClientError, ConnectOptions, Event, Handler, Resumed, Step, decimal, orders,
};

const USAGE: &str = "usage: maker FILE SYMBOL MIDDLE [FILLS]
  FILE    DIR/clients/NAME.toml, as `ballast init` wrote it
  SYMBOL  an instrument of the file
  MIDDLE  the price to quote around
  FILLS   ends after so many fills; without it, never";

/// On each side.
const LOTS: i64 = 5;
/// From the middle to either side.
const TICKS_AWAY: i64 = 10;

struct Maker {
    account: u32,
    instrument: u32,
    middle9: i64,
    tick9: i64,
    position: i64,
    quote_id: u64,
    /// A quote is due: something changed, or the last one was cut off.
    stale: bool,
    fills_left: Option<u64>,
}

impl Maker {
    /// The more is held, the lower both prices.
    fn quote(&mut self, client: &mut Client) -> Result<(), ClientError> {
        let middle9 = self.middle9 - self.tick9 * (self.position / LOTS);
        let away9 = self.tick9 * TICKS_AWAY;
        let entry =
            orders::quote(self.instrument, Some((LOTS, middle9 - away9)), Some((LOTS, middle9 + away9)));
        self.quote_id += 1;
        client.send_quotes(orders::quotes(self.account, 0, 0, self.quote_id), &[entry])?;
        self.stale = false;
        Ok(())
    }
}

impl Handler for Maker {
    fn executed(&mut self, client: &mut Client, fill: &OrderExecuted) {
        self.position = fill.position.get();
        // What was repeated of the past is not quoted upon one by one.
        self.stale = client.position().next_server_seq >= client.live_from();
        self.fills_left = self.fills_left.map(|left| left.saturating_sub(1));
        println!(
            "filled {} at {}: position {}",
            fill.last_qty,
            decimal::show(fill.last_px.get().into(), 9),
            self.position
        );
    }

    fn quoted(&mut self, _: &mut Client, answer: &MassQuoteAck, entries: &[QuoteAckEntry]) {
        let refused = entries.iter().any(|entry| entry.bid_code.get() != 0 || entry.ask_code.get() != 0);
        if answer.code.get() != 0 || refused {
            println!("a quote was refused: {answer:?} {entries:?}");
        }
    }

    fn resumed(&mut self, _: &mut Client, resumed: &Resumed) {
        println!("resumed: {} messages follow, {} commands sent again", resumed.replayed, resumed.resent);
        self.stale = true;
    }

    fn after(&mut self, client: &mut Client, _: Option<&Event>) -> Step {
        if self.fills_left == Some(0) {
            return Step::Stop;
        }
        if self.stale
            && let Err(error) = self.quote(client)
        {
            println!("not quoted: {error}");
        }
        Step::Continue
    }
}

/// Quotes until it has had so many fills.
pub fn make(file: &Path, symbol: &str, middle: &str, fills: Option<u64>) -> Result<i64, String> {
    let config = ClientConfig::load(file)?;
    let instrument = config.instruments.iter().find(|it| it.symbol == symbol);
    let instrument = instrument.ok_or(format!("{symbol} is no instrument of {}", file.display()))?;
    let options = ConnectOptions { auto_reconnect: true, ..ConnectOptions::default() };
    let mut client = Client::connect_with(&config, options).map_err(|error| error.to_string())?;
    let mut maker = Maker {
        account: config.account,
        instrument: instrument.id,
        middle9: decimal::parse(middle, 9)?,
        tick9: decimal::parse(&instrument.tick, 9)?,
        position: 0,
        // Every command of the past had a lower number.
        quote_id: client.position().next_client_seq,
        stale: true,
        fills_left: fills,
    };
    let ended = client.run(&mut maker, Duration::from_secs(1));
    ended.and_then(|()| client.logout()).map_err(|error| error.to_string())?;
    Ok(maker.position)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (file, symbol, middle, fills) = match given[..] {
        [file, symbol, middle] => (file, symbol, middle, None),
        [file, symbol, middle, fills] if fills.parse::<u64>().is_ok() => {
            (file, symbol, middle, fills.parse().ok())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match make(Path::new(file), symbol, middle, fills) {
        Ok(position) => println!("done: position {position}"),
        Err(error) => {
            eprintln!("maker: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
