"""What a member is given, DIR/clients/NAME.toml: the venue's address, the session, the key, and the instruments."""

import ssl
import tomllib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from .errors import ConfigError


@dataclass(frozen=True)
class Instrument:
    id: int
    symbol: str
    tick: Decimal
    lot: Decimal

    def lots(self, size):
        """How many whole lots `size`, in units of the instrument, is."""
        if isinstance(size, float):
            raise TypeError(f"a size is {size!r}: give an int, a Decimal or a text such as '0.01', which are exact")
        lots = Decimal(size) / self.lot
        if lots != int(lots):
            raise ValueError(f"{size} is no whole number of lots of {self.symbol}: one lot is {self.lot}")
        return int(lots)


@dataclass(frozen=True)
class Config:
    host: str
    port: int
    session: int
    key_id: int
    key_file: Path
    account: int
    instruments: tuple
    # A PEM file of the venue's certificate, or of those who sign for it: then TLS is spoken.
    certificate: Path | None = None

    @staticmethod
    def load(path):
        path = Path(path)
        try:
            with open(path, "rb") as file:
                told = tomllib.load(file)
        except OSError as error:
            raise ConfigError(f"{error}; `ballast init DIR --profile demo` writes DIR/clients/NAME.toml") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}; `ballast init` writes such files") from None
        try:
            host, colon, port = told["address"].rpartition(":")
            if not colon:
                raise ValueError(f"address is {told['address']!r}, not HOST:PORT")
            return Config(
                host=host.strip("[]"),
                port=int(port),
                session=told["session"],
                key_id=told["key_id"],
                key_file=path.parent / told["key_file"],
                account=told["account"],
                instruments=tuple(_instrument(entry) for entry in told.get("instrument", ())),
                certificate=path.parent / told["certificate"] if "certificate" in told else None,
            )
        except KeyError as error:
            raise ConfigError(f"{path}: {error.args[0]} is missing; `ballast init` writes such files") from None
        except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
            raise ConfigError(f"{path}: {error}; `ballast init` writes such files") from None

    def trust(self):
        """What decides who the venue is, None where it is spoken to in the plain."""
        if self.certificate is None:
            return None
        try:
            context = ssl.create_default_context(cafile=self.certificate)
        except OSError as error:
            raise ConfigError(
                f"certificate {self.certificate}: {error}; ask the operator of the venue for its certificate in PEM"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def instrument(self, which):
        """The instrument with this symbol or id."""
        for instrument in self.instruments:
            if which in (instrument.symbol, instrument.id):
                return instrument
        known = ", ".join(instrument.symbol for instrument in self.instruments)
        raise ValueError(f"{which!r} is no instrument of the member's file; it has {known}")


def _instrument(entry):
    return Instrument(entry["id"], entry["symbol"], Decimal(entry["tick"]), Decimal(entry["lot"]))
