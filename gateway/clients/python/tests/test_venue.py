"""Both clients against the real venue: every command, resumes over kill -9, a restarted client, and the lines of the README."""

import asyncio
import contextlib
import io
import os
import random
import re
import threading
import unittest
from collections import Counter
from decimal import Decimal
from pathlib import Path

import ballast
from ballast import MassScope, OrderFlags, OrdStatus, RejectCode, Side, Tif, TriggerCondition, TriggerType
from tests.venue import Venue, free_port

_README = Path(__file__).resolve().parents[1] / "README.md"


class WithVenue(unittest.TestCase):
    def setUp(self):
        self.venue = Venue()
        self.addCleanup(self.venue.close)

    def client(self, name, **options):
        client = ballast.connect(self.venue.member(name), **options)
        self.addCleanup(client.close)
        return client


class Orders(WithVenue):
    def test_a_life_of_orders(self):
        alice, bob = self.client("alice"), self.client("bob")
        bid = alice.buy("BTC-PERP", 10, "49000.5")
        accepted = alice.answer(bid)
        self.assertEqual((accepted.price, accepted.qty, accepted.side), (Decimal("49000.5"), 10, Side.BUY))
        self.assertEqual((accepted.cl_ord_id, accepted.ref_seq), (bid.cl_ord_id, bid.seq))
        fill = bob.sell("BTC-PERP", 4, 49000, tif=Tif.IOC)
        bob.answer(fill)
        taken, made = bob.next_event(10), alice.next_event(10)
        self.assertEqual((taken.name, taken.last_px, taken.position), ("OrderExecuted", Decimal("49000.5"), -4))
        self.assertEqual((made.order_id, made.leaves_qty, made.position), (accepted.order_id, 6, 4))
        modified = alice.answer(alice.modify(bid, qty=8))
        self.assertEqual((modified.qty, modified.leaves_qty), (8, 4))
        canceled = alice.answer(alice.cancel(accepted))
        self.assertEqual((canceled.orig_cl_ord_id, canceled.canceled_qty, canceled.cum_qty), (bid.cl_ord_id, 4, 4))
        with self.assertRaises(ballast.Rejected) as refused:
            alice.answer(alice.cancel(bid))
        self.assertIn(refused.exception.code, (RejectCode.UNKNOWN_ORDER, RejectCode.ORDER_ALREADY_DONE))

    def test_refusals_name_code_and_remedy(self):
        alice = self.client("alice")
        first = alice.buy("BTC-PERP", 1, 49000, cl_ord_id=7)
        accepted = alice.answer(first)
        for request, code, what in [
            (alice.buy("BTC-PERP", 1, 49000, cl_ord_id=7), RejectCode.DUPLICATE_CL_ORD_ID, "order_id"),
            (alice.buy("BTC-PERP", 1, "49000.3"), RejectCode.PRICE_NOT_ON_TICK, "tick"),
            (alice.buy("BTC-PERP", 0, 49000), RejectCode.QTY_NOT_POSITIVE, "not positive"),
            (alice.mmp_reset(5), RejectCode.MMP_NOT_CONFIGURED, "not configured"),
            (alice.mass_cancel(MassScope.MMP_GROUP, mmp_group=5), RejectCode.MMP_NOT_CONFIGURED, "not configured"),
        ]:
            with self.assertRaisesRegex(ballast.Rejected, what) as refused:
                alice.answer(request)
            self.assertEqual(refused.exception.code, code)
            if code == RejectCode.DUPLICATE_CL_ORD_ID:
                self.assertEqual(refused.exception.event.order_id, accepted.order_id)
        self.assertEqual([order.order_id for order in alice.open_orders().orders], [accepted.order_id])
        with self.assertRaisesRegex(ValueError, "no instrument of the member's file; it has BTC-PERP"):
            alice.buy("BTC", 1, 1)
        with self.assertRaisesRegex(TypeError, "exact"):
            alice.buy("BTC-PERP", 1, 49000.5)

    def test_triggers_quotes_protection_and_mass_cancels(self):
        alice, bob = self.client("alice"), self.client("bob")
        stop = alice.answer(alice.trigger(Side.SELL, "BTC-PERP", 2, 48000, "47900", trigger_type=TriggerType.LAST))
        self.assertEqual(stop.status, OrdStatus.SUSPENDED)
        alice.answer(alice.trigger(Side.SELL, "BTC-PERP", 2, 60000, condition=TriggerCondition.TAKE_PROFIT))
        iceberg = alice.answer(alice.sell("ETH-PERP", 100, 3100, display_qty=10))
        self.assertEqual(iceberg.display_qty, 10)
        self.assertEqual(len(alice.open_orders().orders), 3)
        self.assertEqual([order.order_id for order in alice.open_orders("ETH-PERP").orders], [iceberg.order_id])
        alice.answer(alice.mmp_config(1, window_ms=1000, qty_limit=5))
        quotes = [("BTC-PERP", (5, 49990), (5, 50010)), ("ETH-PERP", None, (5, "3000.05")), ("BTC-DEC26", (5, "50000.3"), None)]
        ack = alice.answer(alice.mass_quote(quotes, mmp_group=1))
        self.assertEqual([quote.bid_status for quote in ack.quotes][0], OrdStatus.NEW)
        self.assertEqual(ack.quotes[2].bid_code, RejectCode.PRICE_NOT_ON_TICK)
        bob.answer(bob.buy("BTC-PERP", 5))
        told = []
        while not told or told[-1].name != "MmpTriggered":
            told.append(alice.next_event(10))
        self.assertEqual(Counter(event.name for event in told)["OrderExecuted"], 1)
        with self.assertRaises(ballast.Rejected) as frozen:
            alice.answer(alice.mass_quote(quotes, mmp_group=1))
        self.assertEqual(frozen.exception.code, RejectCode.MMP_FROZEN)
        alice.answer(alice.mmp_reset(1))
        flagged = alice.buy("BTC-PERP", 1, 49000, flags=OrderFlags.MMP, mmp_group=1)
        alice.answer(flagged)
        self.assertEqual(alice.answer(alice.mass_cancel(MassScope.MMP_GROUP, mmp_group=1)).canceled, 1)
        self.assertEqual(alice.answer(alice.mass_cancel(instrument="ETH-PERP", scope=MassScope.INSTRUMENT)).canceled, 1)
        self.assertEqual(alice.answer(alice.mass_cancel()).canceled, 2)
        self.assertEqual(alice.open_orders().orders, [])

    def test_history_is_what_was_told(self):
        alice = self.client("alice")
        for _ in range(1_200):
            alice.buy("BTC-PERP", 1, 40000, tif=Tif.IOC)
        told = []
        while len(told) < 2_400:
            told.append(alice.next_event(10))
        history = list(alice.history())
        self.assertEqual([event.message for event in history], [event.message for event in told])
        self.assertTrue(all(event.is_history for event in history))
        part = list(alice.history(told[100].exec_id, told[199].exec_id))
        self.assertEqual([event.exec_id for event in part], [event.exec_id for event in told[100:200]])
        one = list(alice.history(cl_ord_id=told[0].cl_ord_id))
        self.assertEqual({event.name for event in one}, {"OrderAccepted", "OrderCanceled"})

    def test_callbacks(self):
        alice, heard = self.client("alice"), []
        alice.on("OrderAccepted", lambda event: heard.append(("accepted", event.qty)))
        alice.on("*", lambda event: heard.append((event.name, None)))
        order = alice.buy("BTC-PERP", 3, 49000)
        alice.cancel(order)
        alice.run(timeout=0.5)
        self.assertEqual(heard, [("accepted", 3), ("OrderCanceled", None)])


class Sessions(WithVenue):
    def test_another_client_takes_the_session(self):
        first = self.client("alice")
        first.answer(first.buy("BTC-PERP", 1, 49000))
        second = self.client("alice")
        self.assertEqual(second.next_event(10).name, "OrderAccepted")
        with self.assertRaisesRegex(ballast.LoggedOut, "stop one of the two") as fault:
            first.next_event(10)
        self.assertEqual(fault.exception.code, RejectCode.DISPLACED)

    def test_nobody_there_a_wrong_key_and_no_file(self):
        text = self.venue.member("alice").read_text()
        other = self.venue.home / "clients" / "other.toml"
        for change, kind, why in [
            (lambda text: text.replace(str(self.venue.port), str(free_port())), ballast.Unreachable, "ballast serve"),
            (lambda text: text.replace("alice.pem", "bob.pem"), ballast.LogonRefused, "key_file"),
            (lambda text: text.replace("alice.pem", "eve.pem"), ballast.ConfigError, "openssl genpkey"),
            (lambda text: text.replace("session = 1001", "session = 77"), ballast.LogonRefused, "session"),
            (lambda text: text.replace("session = 1001", ""), ballast.ConfigError, "session is missing"),
            (lambda text: text.replace("key_id = 1", "key_id = "), ballast.ConfigError, "other.toml"),
        ]:
            other.write_text(change(text))
            with self.assertRaisesRegex(kind, why):
                ballast.connect(other)
        with self.assertRaisesRegex(ballast.ConfigError, "ballast init"):
            ballast.connect(self.venue.home / "clients" / "nobody.toml")

    def test_a_quiet_session_lives_on(self):
        """On heartbeats; on a machine that stalls for two keep-alives, on a resume."""
        alice = self.client("alice", keep_alive_ms=100)
        told = list(alice.events(timeout=1.0))
        order = alice.buy("BTC-PERP", 1, 49000)
        self.assertEqual(alice.answer(order, 60).ref_seq, order.seq)
        told += alice.events(timeout=0)
        self.assertTrue(all(event.name == "Resumed" for event in told), told)

    def test_an_end_in_order_and_a_start(self):
        alice = self.client("alice")
        order = alice.buy("BTC-PERP", 1, 49000)
        alice.answer(order)
        self.assertEqual(self.venue.terminate(), 0)
        starter = threading.Thread(target=self.venue.serve)
        starter.start()
        self.addCleanup(starter.join)
        resumed = alice.next_event(30)
        self.assertEqual((resumed.name, resumed.replayed, resumed.resent), ("Resumed", 0, ()))
        starter.join()
        self.assertEqual(alice.answer(alice.cancel(order)).orig_cl_ord_id, order.cl_ord_id)

    def test_a_restarted_client_goes_on_where_it_was(self):
        state = self.venue.home / "alice.state"
        alice, bob = self.client("alice", state=state), self.client("bob")
        alice.answer(alice.buy("BTC-PERP", 10, 49000))
        bob.answer(bob.sell("BTC-PERP", 2, 49000))
        self.assertEqual(alice.next_event(10).last_qty, 2)
        # Done with it: the next is asked for, and there is none.
        self.assertIsNone(alice.next_event(0))
        bob.answer(bob.sell("BTC-PERP", 3, 49000))
        in_hand = alice.next_event(10)
        self.assertEqual(in_hand.last_qty, 3)
        # The process dies here: no goodbye, and what was in hand is not known to be done.
        alice._hang_up()
        bob.answer(bob.sell("BTC-PERP", 5, 49000))
        again = self.client("alice", state=state)
        self.assertEqual([again.next_event(10).last_qty for _ in range(2)], [3, 5])
        self.assertIsNone(again.next_event(0.2))
        again.close()
        last = self.client("alice", state=state)
        self.assertIsNone(last.next_event(0.2))
        with self.assertRaisesRegex(ballast.ConfigError, "a file of its own"):
            self.client("bob", state=state)
        state.write_text("{")
        with self.assertRaisesRegex(ballast.ConfigError, "remove it"):
            self.client("alice", state=state)


class Kills(WithVenue):
    """kill -9 of the venue in the middle of a flow: every command has one answer, and every message is told once."""

    KILLS = int(os.environ.get("BALLAST_KILLS", "5"))
    ORDERS = 150

    def killer(self, ready):
        """Kills the venue and starts it again; each time as soon as somebody says that there is a flow."""

        def work():
            for _ in range(self.KILLS):
                ready.acquire()
                self.venue.kill()
                self.venue.serve()

        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        return thread

    def judge(self, requests, told, history):
        numbers = [event.seq for event in told if event.seq]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)), "each message once, in order")
        answers = Counter(event.ref_seq for event in told if event.name in ("OrderAccepted", "OrderRejected"))
        self.assertEqual(answers, Counter(request.seq for request in requests), "one answer for each command")
        self.assertEqual([event.exec_id for event in told if event.seq], [event.exec_id for event in history])
        resumed = [event for event in told if event.name == "Resumed"]
        self.assertGreaterEqual(len(resumed), self.KILLS)
        return sum(len(event.resent) for event in resumed), sum(event.replayed for event in resumed)

    def test_a_client_that_blocks_resumes_exactly_once(self):
        alice, ready = self.client("alice", keep_alive_ms=1000), threading.Semaphore(0)
        killer, draw = self.killer(ready), random.Random(1)
        requests, told = [], []
        for cycle in range(self.KILLS):
            strike = draw.randrange(self.ORDERS)
            for count in range(self.ORDERS):
                requests.append(alice.buy("BTC-PERP", 1, 40000, tif=Tif.IOC))
                if count == strike:
                    ready.release()
                if count % 7 == 0:
                    told.extend(alice.events(timeout=0))
            while sum(event.name == "Resumed" for event in told) <= cycle:
                told.append(alice.next_event(60))
        killer.join()
        while sum(event.name == "OrderCanceled" for event in told) < len(requests):
            told.append(alice.next_event(60))
        resent, replayed = self.judge(requests, told, alice.history())
        print(f"blocking: {self.KILLS} kills, {len(requests)} orders, {resent} sent again, {replayed} messages repeated")

    def test_a_client_of_asyncio_resumes_exactly_once(self):
        asyncio.run(self.flow())

    async def flow(self):
        ready, draw = threading.Semaphore(0), random.Random(2)
        requests, told = [], []
        config = ballast.Config.load(self.venue.member("bob"))
        async with ballast.AsyncClient(config, keep_alive_ms=1000) as bob:
            killer = self.killer(ready)
            for cycle in range(self.KILLS):
                strike = 1 + draw.randrange(self.ORDERS)
                for count in range(self.ORDERS):
                    while not bob.established:
                        # The next thing told is that it is resumed, or what came before.
                        told.append(await bob.next_event(60))
                    requests.append(bob.buy("BTC-PERP", 1, 40000, tif=Tif.IOC))
                    if count + 1 == strike:
                        ready.release()
                    if count % 5 == 0 and (event := await bob.next_event(0.001)) is not None:
                        told.append(event)
                while sum(event.name == "Resumed" for event in told) <= cycle:
                    told.append(await bob.next_event(60))
            await asyncio.to_thread(killer.join)
            while sum(event.name == "OrderCanceled" for event in told) < len(requests):
                told.append(await bob.next_event(60))
            history = [event async for event in bob.history()]
            orders = await bob.open_orders()
        self.assertEqual(orders.orders, [])
        resent, replayed = self.judge(requests, told, history)
        print(f"asyncio: {self.KILLS} kills, {len(requests)} orders, {resent} sent again, {replayed} messages repeated")

    def test_an_answer_is_awaited_over_a_kill(self):
        alice = self.client("alice", keep_alive_ms=1000)
        resting = alice.buy("BTC-PERP", 1, 40000)
        alice.answer(resting)
        self.venue.kill()
        starter = threading.Thread(target=self.venue.serve)
        starter.start()
        self.addCleanup(starter.join)
        self.assertEqual([order.cl_ord_id for order in alice.open_orders(timeout=60).orders], [resting.cl_ord_id])
        self.assertEqual(alice.answer(alice.modify(resting, qty=2), 60).qty, 2)


class Pages(WithVenue):
    def test_the_lines_of_the_readme(self):
        """Exactly the lines that a stranger would copy, where they say it is."""
        lines = re.findall(r"```python\n(.*?)```", _README.read_text(), re.DOTALL)
        self.assertEqual(len(lines), 2)
        code = [line for line in lines[0].splitlines() if line.strip()]
        self.assertLessEqual(len(code), 10)
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        (self.venue.home.parent / "ballast-dev").symlink_to(self.venue.home)
        os.chdir(self.venue.home.parent)
        printed = []
        for text in lines:
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(text, "README.md", "exec"), {"__name__": "stranger"})
            printed.append(said.getvalue().splitlines())
        orders, books = printed[0][:3], printed[0][3:]
        self.assertEqual([line.split()[0] for line in orders], ["OrderAccepted", "OrderModified", "OrderCanceled"])
        self.assertIn("BTC-PERP: bid none, ask none, 0 orders", books)
        self.assertTrue(books and all(": bid " in line for line in books), books)
        self.assertEqual([line.split()[0] for line in printed[1]], ["OrderAccepted"])


if __name__ == "__main__":
    unittest.main()
