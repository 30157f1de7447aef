//! A taker that waits: sends one immediate order after the other and waits for what became of each.
//!
//! ```sh
//! cargo run -p ballast-client --example taker -- ballast-dev/clients/bob.toml BTC-PERP 51000 3
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ballast_client::orders::{self, Tif};
use ballast_client::{Body, Client, ClientConfig, ConnectOptions, Side, decimal};

const USAGE: &str = "usage: taker FILE SYMBOL PRICE ORDERS
  FILE    DIR/clients/NAME.toml, as `ballast init` wrote it
  SYMBOL  an instrument of the file
  PRICE   the most that it pays
  ORDERS  how many orders of one lot";

const PATIENCE: Duration = Duration::from_secs(10);

/// The lots that it got, of as many orders of one lot.
pub fn take(file: &Path, symbol: &str, price: &str, orders: u64) -> Result<i64, String> {
    let config = ClientConfig::load(file)?;
    let instrument = config.instruments.iter().find(|it| it.symbol == symbol);
    let instrument = instrument.ok_or(format!("{symbol} is no instrument of {}", file.display()))?.id;
    let price9 = decimal::parse(price, 9)?;
    let options = ConnectOptions { auto_reconnect: true, ..ConnectOptions::default() };
    let mut client = Client::connect_with(&config, options).map_err(|error| error.to_string())?;
    // What a session was told before is told again to a client that remembers nothing.
    while client.position().next_server_seq < client.live_from() {
        client.next_event(PATIENCE).map_err(|error| error.to_string())?;
    }
    let mut taken = 0;
    for _ in 0..orders {
        let id = client.position().next_client_seq;
        let order = orders::limit(config.account, instrument, Side::Buy, price9, 1, Tif::Ioc, id);
        client.send(order).map_err(|error| error.to_string())?;
        taken += outcome(&mut client, id)?;
    }
    client.logout().map_err(|error| error.to_string())?;
    Ok(taken)
}

/// The lots that the order got. It ends with its fill, its cancel or its refusal.
fn outcome(client: &mut Client, id: u64) -> Result<i64, String> {
    loop {
        let event = client.next_event(PATIENCE).map_err(|error| error.to_string())?;
        match event.ok_or("the venue does not answer")?.body {
            Body::Executed(fill) if fill.cl_ord_id.get() == id => {
                println!("bought {} at {}", fill.last_qty, decimal::show(fill.last_px.get().into(), 9));
                return Ok(fill.last_qty.get());
            }
            Body::Canceled(canceled) if canceled.cl_ord_id.get() == id => {
                println!("nobody sells");
                return Ok(0);
            }
            Body::Rejected(rejected) if rejected.cl_ord_id.get() == id => {
                return Err(format!("refused, see `ballast explain {}`", rejected.code));
            }
            _ => {}
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let wanted = match given[..] {
        [file, symbol, price, orders] => orders.parse().ok().map(|orders| (file, symbol, price, orders)),
        _ => None,
    };
    let Some((file, symbol, price, orders)) = wanted else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match take(Path::new(file), symbol, price, orders) {
        Ok(lots) => println!("done: {lots} lots"),
        Err(error) => {
            eprintln!("taker: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
