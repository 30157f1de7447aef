//! What the gate lets through and what it refuses, each rule by a surface that breaks it alone.

use risk_model::fraction::Fraction;
use risk_model::gate::{Bounds, Fault, Slice, Surface};
use risk_model::svi::{PARAMETER_UNIT, Svi};

const INDEX: i64 = 50_000_000_000_000;
const BOUNDS: Bounds = Bounds { forward_from_index: PARAMETER_UNIT / 5, change: PARAMETER_UNIT / 2 };
const WEEK: i64 = 7 * 86_400;

fn svi(weeks: i64) -> Svi {
    // Sixty per cent a year at the money, skewed.
    Svi { a: 3_000_000 * weeks, b: 6_000_000 * weeks, rho: -200_000_000, m: 0, sigma: 400_000_000 }
}

fn surface() -> Vec<Slice> {
    (1..=4)
        .map(|weeks| Slice {
            expiry: 1_800_000_000 + weeks * WEEK,
            forward: INDEX + weeks * INDEX / 1_000,
            svi: svi(weeks),
        })
        .collect()
}

fn fault(slices: &[Slice], before: Option<&[Slice]>) -> Option<(usize, Fault)> {
    let before = before.map(|slices| Surface { slices, index: INDEX });
    let refusal = Surface { slices, index: INDEX }.admit(before.as_ref(), &BOUNDS).err()?;
    assert!(refusal.to_string().starts_with("slice "), "{refusal}");
    Some((refusal.slice, refusal.fault))
}

/// The fault that a change to slice 2 makes.
fn with(change: impl Fn(&mut Slice)) -> Option<Fault> {
    let mut slices = surface();
    change(&mut slices[2]);
    fault(&slices, None).map(|(slice, fault)| {
        assert!((2..=3).contains(&slice));
        fault
    })
}

#[test]
fn a_surface_without_arbitrage_is_admitted_and_every_rule_refuses_its_own_breach() {
    let slices = surface();
    assert_eq!(fault(&slices, None), None);
    assert_eq!(fault(&slices, Some(&slices)), None);
    assert_eq!(fault(&[], None), Some((0, Fault::NoSlices)));
    assert_eq!(with(|it| it.expiry -= 2 * WEEK), Some(Fault::Order));
    assert_eq!(with(|it| it.forward = 0), Some(Fault::Order));
    assert!(matches!(with(|it| it.svi.rho = -PARAMETER_UNIT), Some(Fault::Parameters(_))));
    assert!(matches!(with(|it| it.svi.a = i64::MIN), Some(Fault::Parameters(_))));
    assert!(matches!(with(|it| it.svi.sigma = 0), Some(Fault::Parameters(_))));
    assert_eq!(with(|it| it.forward = INDEX + INDEX / 4), Some(Fault::Forward));
    assert!(matches!(with(|it| it.svi.a = -8 * it.svi.b), Some(Fault::Variance(_))));
    assert_eq!(with(|it| it.svi.b = 1_700_000_000), Some(Fault::Wing));
    // A corner at the money and steep wings.
    let corner = Svi { a: 1_000_000, b: 400_000_000, rho: -900_000_000, m: 100_000_000, sigma: 1_000_000 };
    assert!(matches!(with(|it| it.svi = corner), Some(Fault::Butterfly(_) | Fault::Calendar(_))));
    // Less variance than the week before, and the week after not looked at.
    assert!(matches!(with(|it| it.svi = svi(1)), Some(Fault::Calendar(_))));
}

#[test]
fn a_change_is_bounded_at_every_node_and_only_for_the_same_expiry() {
    let before = surface();
    let mut slices = surface();
    slices[3].svi.a += slices[3].svi.a / 10;
    assert_eq!(fault(&slices, Some(&before)), None);
    slices[3].svi.a = before[3].svi.a * 3;
    assert!(
        matches!(fault(&slices, Some(&before)), Some((3, Fault::Change(k))) if k.abs() < Fraction::ONE * 2)
    );
    slices[3].expiry += WEEK;
    assert_eq!(fault(&slices, Some(&before)), None, "another expiry was not there before");
}
