"""Quotes both sides of one instrument, and quotes anew after every fill, until Ctrl-C; then cancels what is left.

    python3 maker.py ballast-dev/clients/alice.toml BTC-PERP 50000
"""

import argparse
from decimal import Decimal

import ballast


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", help="DIR/clients/NAME.toml")
    arguments.add_argument("instrument", help="its symbol")
    arguments.add_argument("middle", type=Decimal, help="the price to quote around")
    arguments.add_argument("--ticks", type=int, default=10, help="from the middle to each side (%(default)s)")
    arguments.add_argument("--lots", type=int, default=5, help="on each side (%(default)s)")
    given = arguments.parse_args()
    with ballast.connect(given.file, replay=False) as venue:
        tick, position = venue.config.instrument(given.instrument).tick, 0

        def quote():
            # The more is held, the lower both prices.
            middle = given.middle - tick * (position // given.lots)
            bid, ask = middle - tick * given.ticks, middle + tick * given.ticks
            venue.answer(venue.mass_quote([(given.instrument, (given.lots, bid), (given.lots, ask))]))
            print(f"position {position}: {given.lots} lots at {bid} and {ask}")

        quote()
        try:
            for event in venue.events():
                if event.name in ("OrderExecuted", "Resumed"):
                    position = getattr(event.message, "position", position)
                    quote()
        except KeyboardInterrupt:
            print(venue.answer(venue.mass_cancel()))


if __name__ == "__main__":
    main()
