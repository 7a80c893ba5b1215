//! The people of the peers' benchmarks: the same rows, drawn as NumPy's `default_rng` draws them.

/// One column a field; person `i` is row `i - 1`.
pub struct People {
    pub name: Vec<&'static str>,
    pub last_name: Vec<&'static str>,
    pub sex: Vec<&'static str>,
    pub age: Vec<i64>,
    pub salary: Vec<i64>,
}

const FIRST: [&str; 10] =
    ["Ivan", "Petr", "Sergei", "Oleg", "Yuri", "Dmitry", "Fedor", "Denis", "Anna", "Olga"];
const LAST: [&str; 10] = [
    "Ivanov",
    "Petrov",
    "Sidorov",
    "Kovalev",
    "Kuznetsov",
    "Voronoi",
    "Smirnov",
    "Popov",
    "Volkov",
    "Orlov",
];

impl People {
    pub fn new(n: usize) -> People {
        let mut r = Generator::new(42);
        let mut pick = |from: &[&'static str]| -> Vec<&'static str> {
            (0..n).map(|_| from[r.below(from.len() as u32) as usize]).collect()
        };
        let (name, last_name, sex) = (pick(&FIRST), pick(&LAST), pick(&["male", "female"]));
        let age = (0..n).map(|_| i64::from(r.below(100))).collect();
        let salary = (0..n).map(|_| i64::from(r.below(100_000))).collect();
        People { name, last_name, sex, age, salary }
    }

    pub fn len(&self) -> usize {
        self.name.len()
    }
    pub fn is_empty(&self) -> bool {
        self.name.is_empty()
    }
}

/// Transactions of the update: 10 % of the people get another salary, each at most once.
pub const UPDATES: usize = 100;

/// Rows (from 0) and their new salaries, one list a transaction.
pub fn updates(n: usize) -> Vec<Vec<(usize, i64)>> {
    let mut r = Generator::new(5);
    let per = n / 10 / UPDATES;
    let mut rows: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        rows.swap(i, r.up_to(i as u32) as usize);
    }
    rows.truncate(per * UPDATES);
    let changed: Vec<(usize, i64)> =
        rows.into_iter().map(|row| (row, i64::from(r.below(100_000)))).collect();
    changed.chunks(per.max(1)).map(<[_]>::to_vec).collect()
}

/// PCG64 (XSL RR 128/64), seeded by NumPy's `SeedSequence`; its `integers` draw halves of the outputs.
struct Generator {
    state: u128,
    increment: u128,
    /// The upper half of the last output.
    half: Option<u32>,
}

impl Generator {
    fn new(seed: u32) -> Generator {
        let words = seed_words(seed);
        let wide = |i: usize| (u128::from(words[i]) << 64) | u128::from(words[i + 1]);
        let mut r = Generator { state: 0, increment: (wide(2) << 1) | 1, half: None };
        r.step();
        r.state = r.state.wrapping_add(wide(0));
        r.step();
        r
    }

    fn step(&mut self) {
        const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    fn next_u32(&mut self) -> u32 {
        if let Some(half) = self.half.take() {
            return half;
        }
        self.step();
        let mixed = (self.state >> 64) as u64 ^ self.state as u64;
        let out = mixed.rotate_right((self.state >> 122) as u32);
        self.half = Some((out >> 32) as u32);
        out as u32
    }

    /// Below `n`, by Lemire's method.
    fn below(&mut self, n: u32) -> u32 {
        let reject = n.wrapping_neg() % n;
        loop {
            let wide = u64::from(self.next_u32()) * u64::from(n);
            if wide as u32 >= reject {
                return (wide >> 32) as u32;
            }
        }
    }

    /// At most `max`, by masks: how a permutation is drawn.
    fn up_to(&mut self, max: u32) -> u32 {
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let drawn = self.next_u32() & mask;
            if drawn <= max {
                return drawn;
            }
        }
    }
}

/// `SeedSequence(seed).generate_state(4, uint64)`.
fn seed_words(seed: u32) -> [u64; 4] {
    let mut hash = 0x43b0_d7e5_u32;
    let mut hashed = |value: u32| {
        let value = value ^ hash;
        hash = hash.wrapping_mul(0x931e_8875);
        let value = value.wrapping_mul(hash);
        value ^ (value >> 16)
    };
    let mut pool = [seed, 0, 0, 0].map(&mut hashed);
    for from in 0..4 {
        for to in (0..4).filter(|to| *to != from) {
            let x = pool[to].wrapping_mul(0xca01_f9dd);
            let mixed = x.wrapping_sub(hashed(pool[from]).wrapping_mul(0x4973_f715));
            pool[to] = mixed ^ (mixed >> 16);
        }
    }
    let mut hash = 0x8b51_f9dd_u32;
    let mut words = [0u32; 8];
    for (i, word) in words.iter_mut().enumerate() {
        let value = pool[i % 4] ^ hash;
        hash = hash.wrapping_mul(0x58f3_8ded);
        let value = value.wrapping_mul(hash);
        *word = value ^ (value >> 16);
    }
    std::array::from_fn(|i| u64::from(words[2 * i]) | (u64::from(words[2 * i + 1]) << 32))
}
