//! Accounts: a quote balance, a list of positions, a list and a count of open orders, and whether new ones are blocked.
//! Indexed by id; what few commands look at, the names, the owners, the highest client ids, the counts of special orders and what was
//! looked at, stands apart.

use std::ops::{Index, IndexMut};

use crate::command::Char16;
use crate::limits::{ACCOUNT_DUST, ACCOUNT_FEES, ACCOUNT_INSURANCE, ORDER_SLOT_BITS};
use crate::pool::{NONE, room};
use crate::prefetch;
use crate::units::Money;

#[derive(Clone, Copy)]
#[repr(align(32))]
pub struct Account {
    pub quote: Money,
    /// The first position entry, by instrument number.
    pub positions: u32,
    /// The open orders of the lowest and of the highest serial.
    pub oldest: u32,
    pub youngest: u32,
    /// The number of open orders, and two flags above it: two accounts share a cache line.
    word: u32,
}

const _: () = assert!(size_of::<Account>() == 32);

const EXISTS: u32 = 1 << 31;
const BLOCKED: u32 = 1 << 30;
const COUNT: u32 = BLOCKED - 1;
/// `orders_per_account` is at most the number of slots.
const _: () = assert!(1 << ORDER_SLOT_BITS < COUNT);

const ABSENT: Account =
    Account { quote: Money::ZERO, positions: NONE, oldest: NONE, youngest: NONE, word: 0 };

impl Account {
    pub fn open_orders(&self) -> u32 {
        self.word & COUNT
    }

    pub fn count_opened(&mut self) {
        self.word += 1;
    }

    pub fn count_closed(&mut self) {
        debug_assert!(self.open_orders() > 0);
        self.word -= 1;
    }

    /// Are new orders and amends refused (rule 5.21)?
    pub fn is_blocked(&self) -> bool {
        self.word & BLOCKED != 0
    }

    pub fn set_blocked(&mut self, blocked: bool) {
        self.word = if blocked { self.word | BLOCKED } else { self.word & !BLOCKED };
    }

    fn exists(&self) -> bool {
        self.word & EXISTS != 0
    }
}

/// All accounts of the venue.
pub struct Accounts {
    rows: Vec<Account>,
    names: Vec<Char16>,
    /// The highest client id of each that came from a session whose ids rise (rule 12.2).
    highest_ids: Vec<u64>,
    /// How many special orders each has (rule 8.41).
    special_orders: Vec<u32>,
    /// Who has more than one (rule 5.8); 0 is nobody.
    owners: Vec<u32>,
    /// Until when each has used up its looks (rule 12.6).
    looks_paid_until_ns: Vec<u64>,
    count: u32,
}

impl Accounts {
    /// The venue's own accounts exist from the start (rule 3.2), even above a smaller limit.
    pub fn new(limit: u32) -> Accounts {
        let size = limit.max(ACCOUNT_DUST) as usize + 1;
        let (rows, names) = (room(size, ABSENT), room(size, [0; 16]));
        let mut accounts = Accounts {
            rows,
            names,
            highest_ids: room(size, 0),
            special_orders: room(size, 0),
            owners: room(size, 0),
            looks_paid_until_ns: room(size, 0),
            count: 0,
        };
        accounts.create(ACCOUNT_INSURANCE, *b"INSURANCE\0\0\0\0\0\0\0", 0);
        accounts.create(ACCOUNT_FEES, *b"FEES\0\0\0\0\0\0\0\0\0\0\0\0", 0);
        accounts.create(ACCOUNT_DUST, *b"DUST\0\0\0\0\0\0\0\0\0\0\0\0", 0);
        accounts
    }

    pub fn create(&mut self, id: u32, name: Char16, owner: u32) {
        debug_assert!(!self.contains(id));
        let index = id as usize;
        if self.rows.len() <= index {
            self.rows.resize(index + 1, ABSENT);
            self.names.resize(index + 1, [0; 16]);
            self.highest_ids.resize(index + 1, 0);
            self.special_orders.resize(index + 1, 0);
            self.owners.resize(index + 1, 0);
            self.looks_paid_until_ns.resize(index + 1, 0);
        }
        self.rows[index].word = EXISTS;
        self.names[index] = name;
        self.owners[index] = owner;
        self.count += 1;
    }

    pub fn contains(&self, id: u32) -> bool {
        self.rows.get(id as usize).is_some_and(|account| account.exists())
    }

    pub fn find(&self, id: u32) -> Option<&Account> {
        self.rows.get(id as usize)
    }

    pub fn prefetch(&self, id: u32) {
        prefetch::lines_at(&self.rows, id as usize);
    }

    pub fn len(&self) -> u32 {
        self.count
    }

    pub fn name(&self, id: u32) -> &Char16 {
        &self.names[id as usize]
    }

    pub fn owner(&self, id: u32) -> u32 {
        self.owners[id as usize]
    }

    /// Rule 5.8: do both belong to one and the same?
    pub fn have_one_owner(&self, id: u32, other: u32) -> bool {
        self.owner(id) != 0 && self.owner(id) == self.owner(other)
    }

    /// Rule 12.6. What is not above `now_ns` says nothing, and reads as 0.
    pub fn looks_paid_until(&self, id: u32, now_ns: u64) -> u64 {
        let until_ns = self.looks_paid_until_ns[id as usize];
        if until_ns > now_ns { until_ns } else { 0 }
    }

    pub fn pay_looks_until(&mut self, id: u32, until_ns: u64) {
        self.looks_paid_until_ns[id as usize] = until_ns;
    }

    pub fn highest_id(&self, id: u32) -> u64 {
        self.highest_ids[id as usize]
    }

    pub fn raise_highest_id(&mut self, id: u32, cl_ord_id: u64) {
        let highest = &mut self.highest_ids[id as usize];
        *highest = cl_ord_id.max(*highest);
    }

    pub fn special_orders(&self, id: u32) -> u32 {
        self.special_orders[id as usize]
    }

    pub fn special_orders_mut(&mut self, id: u32) -> &mut u32 {
        &mut self.special_orders[id as usize]
    }

    /// All accounts in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Account)> {
        self.rows
            .iter()
            .enumerate()
            .filter(|(_, account)| account.exists())
            .map(|(id, account)| (id as u32, account))
    }
}

impl Index<u32> for Accounts {
    type Output = Account;
    fn index(&self, id: u32) -> &Account {
        &self.rows[id as usize]
    }
}

impl IndexMut<u32> for Accounts {
    fn index_mut(&mut self, id: u32) -> &mut Account {
        &mut self.rows[id as usize]
    }
}
