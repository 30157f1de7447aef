"""Shadow books against the real venue: whoever joins, over TCP or with packets that are lost, ends at the engine's bookHash."""

import os
import random
import unittest

import ballast
from ballast import Side, Tif
from ballast._schema import FrameFlags
from ballast.book import PACKET, PACKET_MESSAGE, Book, EpochChanged, Feed
from ballast.message import decode, encode, frame
from tests.venue import Venue

GROUP = "239.77.2.1"


def event(name, **values):
    return decode(bytes(frame(0, 1, 0, encode(name, values))))


class Books(unittest.TestCase):
    def test_the_hashes_of_the_page(self):
        book = Book(1)
        self.assertEqual(book.hash(), 0xD247C3F72BF351E3)
        book.apply(event("OrderAdd", side=Side.BUY, md_order_id=7, priority=7, px="50000.5", qty=10))
        self.assertEqual(book.hash(), 0x3916DDA73A9D3AB0)

    def test_levels_follow_from_orders(self):
        book = Book(1)
        for id, (side, px, qty) in enumerate([(1, 10, 5), (1, 11, 1), (1, 10, 2), (2, 12, 4)], 1):
            book.apply(event("OrderAdd", side=side, md_order_id=id, priority=id, px=px, qty=qty))
        self.assertEqual(book.levels(Side.BUY), [(11, 1, 1), (10, 7, 2)])
        self.assertEqual(book.best(Side.SELL), (12, 4, 1))
        book.apply(event("OrderExecute", side=1, md_order_id=2, qty=1, leaves_qty=0))
        book.apply(event("OrderReduce", side=1, md_order_id=1, new_qty=3))
        self.assertEqual(book.levels(Side.BUY), [(10, 5, 2)])
        self.assertEqual([order[0] for order in book.orders(Side.BUY)], [1, 3])
        book.apply(event("OrderDelete", side=2, md_order_id=4))
        self.assertEqual((book.best(Side.SELL), str(book)), (None, "1: bid 5 at 10, ask none, 2 orders"))


class Packets(unittest.TestCase):
    """The feed without sockets: what is lost is named, what comes early waits, what comes twice counts once."""

    def packet(self, seq, *bodies, kind=1, epoch=3):
        text = b"".join(PACKET_MESSAGE.pack(8 + len(body), 0, 0) + body for body in bodies)
        return PACKET.pack(seq, 0, epoch, 1, kind, len(bodies)) + text

    def add(self, id):
        return encode("OrderAdd", {"instrument_id": 1, "side": 1, "md_order_id": id, "priority": id, "px": 10, "qty": 1})

    def snapshot(self, feed, last_seq, *ids):
        entries = [{"md_order_id": id, "priority": id, "px": 10, "qty": 1} for id in ids]
        book = Book(1)
        for id in ids:
            book.apply(event("OrderAdd", side=1, md_order_id=id, priority=id, px=10, qty=1))
        given = {"instrument_id": 1, "last_seq": last_seq}
        for name, values in [
            ("SnapshotBegin", {"orders": len(ids)}),
            ("SnapshotOrders", {"side": 1, "orders": entries}),
            ("SnapshotEnd", {"book_hash": book.hash()}),
        ]:
            feed.hear_frame(decode(bytes(frame(FrameFlags.SNAPSHOT, last_seq, 0, encode(name, given | values)))))

    def ids(self, feed):
        return [order[0] for order in feed.book(1).orders(Side.BUY)]

    def test_what_comes_before_the_join_waits_for_it(self):
        feed = Feed([1])
        for seq in (4, 5, 6, 7):
            feed.hear_packet(self.packet(seq, self.add(seq)))
        self.assertIsNone(feed.missing())
        self.snapshot(feed, 5, 4, 5)
        self.assertEqual((self.ids(feed), feed.next_seq, feed.missing()), ([4, 5, 6, 7], 8, None))

    def test_a_hole_is_named_and_filled(self):
        feed = Feed([1])
        self.snapshot(feed, 0)
        feed.hear_packet(self.packet(1, self.add(1), self.add(2)))
        feed.hear_packet(self.packet(5, self.add(5)))
        self.assertEqual((self.ids(feed), feed.missing()), ([1, 2], (3, 2)))
        for seq in (3, 4, 4):
            feed.hear_frame(decode(bytes(frame(FrameFlags.RETRANSMIT, seq, 0, self.add(seq)))))
        self.assertEqual((self.ids(feed), feed.missing(), feed.recovered), ([1, 2, 3, 4, 5], None, 2))
        feed.hear_packet(self.packet(2, self.add(2)))
        feed.hear_packet(self.packet(9, kind=8))
        self.assertEqual((self.ids(feed), feed.missing()), ([1, 2, 3, 4, 5], (6, 3)))

    def test_another_history_and_another_book_are_noticed(self):
        feed = Feed([1])
        feed.hear_packet(self.packet(1, self.add(1)))
        with self.assertRaises(EpochChanged):
            feed.hear_packet(self.packet(2, self.add(2), epoch=4))
        feed = Feed([1])
        self.snapshot(feed, 5, 4)
        with self.assertRaisesRegex(ballast.ProtocolError, "bookHash"):
            values = {"instrument_id": 1, "last_seq": 6, "book_hash": 77}
            feed.hear_frame(decode(bytes(frame(FrameFlags.SNAPSHOT, 6, 0, encode("SnapshotEnd", values)))))
        with self.assertRaisesRegex(ballast.ProtocolError, "not in the book"):
            feed.hear_packet(self.packet(6, encode("OrderReduce", {"instrument_id": 1, "side": 1, "md_order_id": 99, "new_qty": 1})))

    def test_a_packet_that_is_cut_is_an_error(self):
        whole = self.packet(1, self.add(1), self.add(2))
        for cut in range(len(whole)):
            feed = Feed([1])
            with self.assertRaises(ballast.ProtocolError):
                feed.hear_packet(whole[:cut])


class Feeds(unittest.TestCase):
    """`BALLAST_TIER=1` is the size of a release."""

    ROUNDS = 100 if os.environ.get("BALLAST_TIER") == "1" else 5
    ORDERS = 150
    MIDDLES = {"BTC-PERP": 50_000, "ETH-PERP": 3_000, "BTC-DEC26": 50_500, "BTC-DEC26-PERP": 500}

    def setUp(self):
        port = random.Random().randrange(20_000, 60_000)
        line = f'multicast = ["{GROUP}:{port}"]\ninterface = "127.0.0.1"\n'
        self.venue = Venue(lambda text: text.replace("[market]\n", "[market]\n" + line))
        self.addCleanup(self.venue.close)
        self.members = [ballast.connect(self.venue.member(name), replay=False) for name in ("alice", "bob")]
        for member in self.members:
            self.addCleanup(member.close)
        self.draw = random.Random(3)

    def trade(self):
        """Orders at random in every instrument, so that they rest, trade and are canceled."""
        for _ in range(self.ORDERS):
            member = self.draw.choice(self.members)
            symbol, middle = self.draw.choice(list(self.MIDDLES.items()))
            price = middle + member.config.instrument(symbol).tick * self.draw.randrange(-8, 9)
            side, tif = self.draw.choice(list(Side)), self.draw.choice([Tif.GTC, Tif.GTC, Tif.IOC])
            order = member.new_order(side, symbol, self.draw.randrange(1, 20), price, tif=tif)
            if self.draw.randrange(3) == 0:
                member.cancel(order)
            elif self.draw.randrange(4) == 0:
                member.modify(order, qty=self.draw.randrange(1, 20))
            while member.unanswered > 50:
                member.next_event(10)
        for member in self.members:
            while member.unanswered:
                member.next_event(10)
            list(member.events(timeout=0))

    def same(self, market):
        next_seq, books = self.venue.books()
        self.assertTrue(market.wait_for(next_seq, 60), f"{market.feed.next_seq} of {next_seq}")
        self.assertEqual({id: book.hash() for id, book in market.books.items()}, books)
        self.assertEqual(len(books), 4)
        return next_seq

    def test_a_book_over_tcp_is_the_engines(self):
        self.trade()
        with ballast.MarketData.of_venue(self.venue.home, multicast=()) as market:
            self.same(market)
            for _ in range(3):
                self.trade()
                self.same(market)
            self.members[0].answer(self.members[0].mass_cancel())
            self.assertTrue({book.symbol for book in market.follow(timeout=1.0)} <= set(self.MIDDLES))
            self.same(market)
            self.assertIn("BTC-PERP: bid", str(market.book("BTC-PERP")))

    def test_one_packet_in_a_hundred_is_lost_and_the_books_are_the_engines(self):
        rounds = dropped = recovered = told = 0
        # On a slow machine few packets carry much, and perhaps none of them is lost.
        while rounds < self.ROUNDS or recovered == 0:
            draw = random.Random(rounds)
            rounds += 1
            lose = lambda packet: draw.randrange(100) == 0
            self.trade()
            with ballast.MarketData.of_venue(self.venue.home, drop=lose) as market:
                first = self.same(market)
                for _ in range(2):
                    self.trade()
                    told -= first
                    first = self.same(market)
                    told += first
                dropped += market.dropped
                recovered += market.feed.recovered
        print(f"shadow books: {rounds} times, {told} messages, {dropped} packets lost, {recovered} messages told again")

    def test_a_venue_without_a_feed_says_so(self):
        path = self.venue.home / "ballast.toml"
        path.write_text(path.read_text().replace("[market]", "[other]"))
        with self.assertRaisesRegex(ballast.ConfigError, "no \\[market\\]"):
            ballast.MarketData.of_venue(self.venue.home)
        with self.assertRaisesRegex(ballast.Unreachable, "ballast.toml opens the feed"):
            ballast.MarketData("127.0.0.1:1")


if __name__ == "__main__":
    unittest.main()
