//! Published cases, by family; what is printed is family, cases, passed. Sources are named in `tests/vectors/margin-vectors.json`.

use risk_model::black::{Black, Greeks, Worth, deviation, volatility};
use risk_model::fraction::{Fraction, exp, ln_ratio, part_of, times};
use risk_model::ssvi::Ssvi;
use risk_model::svi::{PARAMETER_UNIT, Svi, density_sign};
use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/margin-vectors.json");
/// Prices of the cases are read in this part of 1.
const UNIT: f64 = 1e12;

fn family(id: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(FILE).expect("the vectors are there");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let families = file["families"].as_array().expect("a list");
    let family = families.iter().find(|it| it["id"] == id).expect("the family is there");
    family["cases"].as_array().expect("cases").clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

fn fraction(x: f64) -> Fraction {
    Fraction::from_num(x)
}

fn float(x: Fraction) -> f64 {
    x.to_num()
}

fn units(price: f64) -> i64 {
    (price * UNIT).round() as i64
}

fn told(id: &str, cases: usize) {
    println!("vectors: {id}: {cases} cases, {cases} passed");
}

fn near(id: &str, what: &str, got: f64, due: f64, tolerance: f64) {
    assert!((got - due).abs() <= tolerance, "{id}, {what}: {got}, not {due}");
}

/// A European option on what pays `q`, by the forward.
struct General {
    black: Black,
    volatility: Fraction,
    years: Fraction,
    spot: f64,
    growth: f64,
}

impl General {
    fn new(spot: f64, strike: f64, q: f64, r: f64, t: f64, vol: f64) -> General {
        let (years, volatility) = (fraction(t), fraction(vol));
        let growth = float(exp(times(fraction(r - q), years)));
        let discount = exp(times(fraction(-r), years));
        let forward = units(spot * growth);
        let black = Black::new(forward, units(strike), volatility, years, discount);
        General { black, volatility, years, spot, growth }
    }

    fn worth(&self, kind: &str) -> f64 {
        let Worth { call, put } = self.black.worth();
        (if kind == "c" { call } else { put }) as f64 / UNIT
    }

    fn greeks(&self) -> Greeks {
        self.black.greeks(self.volatility, self.years)
    }

    /// With the spot.
    fn delta(&self, kind: &str) -> f64 {
        let greeks = self.greeks();
        self.growth * float(if kind == "c" { greeks.call_delta } else { greeks.put_delta })
    }

    fn gamma(&self) -> f64 {
        self.greeks().gamma_value as f64 / UNIT / (self.spot * self.spot)
    }

    fn vega(&self) -> f64 {
        self.greeks().vega as f64 / UNIT
    }

    /// By the equation of Black and Scholes: what decays, what the worth earns, what the delta costs.
    fn theta(&self, kind: &str, q: f64, r: f64) -> f64 {
        self.greeks().decay as f64 / UNIT + r * self.worth(kind) - (r - q) * self.spot * self.delta(kind)
    }

    /// With the interest, the yield or cost of carry left as it is.
    fn rho(&self, kind: &str, t: f64) -> f64 {
        t * (self.spot * self.delta(kind) - self.worth(kind))
    }
}

#[test]
fn haug_prices() {
    let cases = family("haug_prices");
    for case in &cases {
        let it = |at: usize| number(&case[at]);
        let option = General::new(it(1), it(2), it(3), it(4), it(5), it(6));
        near("haug_prices", &case.to_string(), option.worth(case[0].as_str().expect("a kind")), it(7), 1e-4);
    }
    told("haug_prices", cases.len());
}

#[test]
fn haug_greeks() {
    let cases = family("haug_greeks");
    for case in &cases {
        let it = |at: usize| number(&case[at]);
        let (kind, t) = (case[1].as_str().expect("a kind"), it(6));
        let option = General::new(it(2), it(3), it(4), it(5), t, it(7));
        let got = match case[0].as_str().expect("a name") {
            "delta" => option.delta(kind),
            "elasticity" => option.delta(kind) * it(2) / option.worth(kind),
            "gamma" => option.gamma(),
            "vega" => option.vega(),
            "theta" => option.theta(kind, it(4), it(5)),
            "theta_per_day" => option.theta(kind, it(4), it(5)) / 365.0,
            "rho" => option.rho(kind, t),
            "div_rho" => -t * it(2) * option.delta(kind),
            other => panic!("{other} is not known"),
        };
        near("haug_greeks", &case.to_string(), got, it(8), 1e-4);
    }
    told("haug_greeks", cases.len());
}

#[test]
fn py_vollib_grid() {
    let cases = family("py_vollib_grid");
    for case in &cases {
        let it = |at: usize| number(&case[at]);
        let (r, t) = (it(2), it(3));
        let option = General::new(it(0), it(1), 0.0, r, t, it(4));
        let [c, p] = ["c", "p"];
        let got = [
            option.worth(c),
            option.worth(p),
            option.delta(c),
            option.gamma(),
            option.theta(c, 0.0, r),
            option.vega(),
            option.rho(c, t),
            option.delta(p),
            option.gamma(),
            option.theta(p, 0.0, r),
            option.vega(),
            option.rho(p, t),
        ];
        for (at, got) in got.into_iter().enumerate() {
            let due = it(5 + at);
            near("py_vollib_grid", &format!("column {at} of {case}"), got, due, (due.abs() * 1e-5).max(1e-8));
        }
    }
    told("py_vollib_grid", cases.len());
}

#[test]
fn py_vollib_points() {
    let cases = family("py_vollib_points");
    for case in &cases {
        let it = |at: usize| number(&case[at]);
        let (model, spot, strike, t, r, vol) =
            (case[0].as_str().expect("a model"), it(2), it(3), it(4), it(5), it(6));
        let (carry, rate) = match model {
            "black76" => (r, r),
            "black76_undiscounted" => (0.0, 0.0),
            _ => (0.0, r),
        };
        let option = General::new(spot, strike, carry, rate, t, vol);
        near(
            "py_vollib_points",
            &case.to_string(),
            option.worth(case[1].as_str().expect("a kind")),
            it(7),
            1e-9,
        );
    }
    told("py_vollib_points", cases.len());
}

#[test]
fn lyra_black76() {
    let cases = family("lyra_black76");
    for case in &cases {
        let it = |at: usize| number(&case[at]);
        let (t, vol) = (it(0) / (365.0 * 86_400.0), it(1));
        // A deviation of 24 or more is as 24.
        let deviation =
            if vol * t.sqrt() >= 24.0 { fraction(24.0) } else { deviation(fraction(vol), fraction(t)) };
        let option =
            Black { forward: units(it(2)), strike: units(it(3)), deviation, discount: fraction(it(4)) };
        let Worth { call, put } = option.worth();
        near("lyra_black76", &case.to_string(), call as f64 / UNIT, it(5), 1e-9);
        near("lyra_black76", &case.to_string(), put as f64 / UNIT, it(6), 1e-9);
        let undiscounted = Black { discount: Fraction::ONE, ..option };
        let delta = float(undiscounted.greeks(fraction(vol.min(24.0)), fraction(t)).call_delta);
        near("lyra_black76", &case.to_string(), delta, it(7), 1e-9);
    }
    told("lyra_black76", cases.len());
}

fn parameter(x: f64) -> i64 {
    (x * PARAMETER_UNIT as f64).round() as i64
}

#[test]
fn lyra_svi() {
    let cases = family("lyra_svi");
    for case in &cases {
        let it = |at: usize| number(&case[at]);
        let svi = Svi {
            a: parameter(it(3)),
            b: parameter(it(4)),
            rho: parameter(it(5)),
            m: parameter(it(6)),
            sigma: parameter(it(7)),
        };
        // The family's own clamp of the moneyness.
        let far = 4.0 * (it(3) + it(4) * it(7)).sqrt();
        let k = float(ln_ratio(it(0) as u64, it(1) as u64)).clamp(-far, far);
        let got = float(volatility(svi.variance(fraction(k)), fraction(it(2))));
        // Parameters come in billionths, which moves the last of nine digits.
        near("lyra_svi", &case.to_string(), got, it(8), number(&case[9]).max(2e-7));
    }
    told("lyra_svi", cases.len());
}

/// The jump-wings parameters of a raw slice over one year, and the way back.
fn wings(svi: [f64; 5]) -> [f64; 5] {
    let [a, b, rho, m, sigma] = svi;
    let v = a + b * (-rho * m + (m * m + sigma * sigma).sqrt());
    let root = v.sqrt();
    let psi = b / (2.0 * root) * (rho - m / (m * m + sigma * sigma).sqrt());
    let least = a + b * sigma * (1.0 - rho * rho).sqrt();
    [v, psi, b * (1.0 - rho) / root, b * (1.0 + rho) / root, least]
}

fn raw([v, psi, p, c, least]: [f64; 5]) -> [f64; 5] {
    let root = v.sqrt();
    let b = root / 2.0 * (c + p);
    let rho = 1.0 - p * root / b;
    let beta = rho - 2.0 * psi * root / b;
    let alpha = beta.signum() * (1.0 / (beta * beta) - 1.0).sqrt();
    let spread = (1.0 - rho * rho).sqrt();
    let m = (v - least) / (b * (-rho + alpha.signum() * (1.0 + alpha * alpha).sqrt() - alpha * spread));
    let sigma = alpha * m;
    [least - b * sigma * spread, b, rho, m, sigma]
}

fn slice([a, b, rho, m, sigma]: [f64; 5]) -> Svi {
    Svi { a: parameter(a), b: parameter(b), rho: parameter(rho), m: parameter(m), sigma: parameter(sigma) }
}

/// Log moneyness from -1.5 to 1.5.
fn has_butterfly(svi: &Svi) -> bool {
    (-1_500..=1_500).any(|step| {
        let k = fraction(f64::from(step) / 1_000.0);
        density_sign(k, &svi.at(k)).is_none_or(|sign| sign < 0)
    })
}

#[test]
fn svi_arbitrage() {
    let cases = family("svi_arbitrage");
    for case in &cases {
        let of = |names: [&str; 5]| names.map(|name| number(&case["params"][name]));
        let expect = &case["expect"];
        match case["id"].as_str().expect("a name") {
            "vogt_violates" => {
                let svi = slice(of(["a", "b", "rho", "m", "sigma"]));
                assert!(has_butterfly(&svi));
                assert!((-150..=150).all(|step| svi.variance(fraction(f64::from(step) / 100.0)) > 0));
            }
            "vogt_jump_wings" => {
                let got = wings(of(["a", "b", "rho", "m", "sigma"]));
                for (got, name) in got.into_iter().zip(["v", "psi", "p", "c", "v_min"]) {
                    near("svi_arbitrage", name, got, number(&expect[name]), 5e-7);
                }
            }
            "vogt_repaired" => {
                let [v, psi, p] = ["v", "psi", "p"].map(|name| number(&case["params"][name]));
                let c = p + 2.0 * psi;
                let least = v * 4.0 * p * c / ((p + c) * (p + c));
                near("svi_arbitrage", "c", c, number(&expect["c"]), 5e-7);
                near("svi_arbitrage", "v_min", least, number(&expect["v_min"]), 5e-7);
                assert!(!has_butterfly(&slice(raw([v, psi, p, c, least]))));
            }
            "vogt_optimised" => assert!(!has_butterfly(&slice(raw(of(["v", "psi", "p", "c", "v_min"]))))),
            "quantlib_svi_min" => {
                let svi = slice(of(["a", "b", "rho", "m", "sigma"]));
                near(
                    "svi_arbitrage",
                    "w",
                    float(svi.variance(fraction(number(&case["k"])))),
                    number(&expect["w"]),
                    1e-9,
                );
            }
            other => panic!("{other} is not known"),
        }
    }
    told("svi_arbitrage", cases.len());
}

#[test]
fn ssvi_butterfly() {
    let cases = family("ssvi_butterfly");
    for case in &cases {
        let it = |name: &str| parameter(number(&case[name]));
        let butterfly = Ssvi { theta: it("theta"), phi: it("phi"), rho: it("rho") }.butterfly();
        assert_eq!(Some(butterfly.is_slope_in_order), case["expect"]["slope_ok"].as_bool(), "{case}");
        assert_eq!(Some(butterfly.is_bend_in_order), case["expect"]["curv_ok"].as_bool(), "{case}");
    }
    told("ssvi_butterfly", cases.len());
}

#[test]
fn a_surface_of_three_numbers_is_slices() {
    for (theta, phi, rho) in [(0.04, 5.0, -0.3), (0.5, 1.2, 0.6), (0.002, 30.0, 0.0)] {
        let ssvi = Ssvi { theta: parameter(theta), phi: parameter(phi), rho: parameter(rho) };
        let svi = ssvi.slice().expect("in range");
        for step in -20..=20 {
            let k = f64::from(step) / 10.0;
            let due = theta / 2.0
                * (1.0 + rho * phi * k + ((phi * k + rho) * (phi * k + rho) + 1.0 - rho * rho).sqrt());
            near("ssvi", "variance", float(svi.variance(fraction(k))), due, 1e-7);
        }
    }
    let part = part_of(1_000_000, fraction(0.25));
    assert_eq!(part, 250_000);
}
