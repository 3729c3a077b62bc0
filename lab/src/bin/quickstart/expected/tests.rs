//! The expected matrix: read as written, refused where it is not one.

use super::*;

fn expected() -> Expected {
    Expected::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/expected.yaml")))
        .expect("readable")
}

fn present(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn what_is_not_listed_is_denied() {
    let cells =
        expected().cells(Policies::Start, &present(&["shop/api-1", "shop/database-1", "scanner"])).expect("cells");
    let allowed: Vec<String> = cells
        .iter()
        .filter(|cell| cell.allowed)
        .map(|cell| format!("{} {} {}", cell.from, cell.to, cell.probe))
        .collect();
    assert_eq!(
        allowed,
        ["shop/api-1 shop/database-1 tcp/5432", "shop/database-1 shop/api-1 ping", "shop/api-1 shop/database-1 ping",]
    );
    // Two ports and ping on each of two pods from two sources each, and ping to the host outside from two.
    assert_eq!(cells.len(), 3 * 2 + 3 * 2 + 2);
}

#[test]
fn the_change_replaces_lines() {
    let pods = present(&["shop/frontend-1", "monitoring/collector"]);
    let allowed = |policies| {
        let cells = expected().cells(policies, &pods).expect("cells");
        cells.into_iter().find(|cell| cell.probe == Probe::Tcp(9200)).map(|cell| cell.allowed)
    };
    assert_eq!(allowed(Policies::Start), Some(false));
    assert_eq!(allowed(Policies::Changed), Some(true));
}

#[test]
fn slips_of_the_pen_are_found() {
    let unknown = expected().members(&["customers".to_owned()]);
    assert!(unknown.is_err_and(|error| error.to_string().contains("customers")));
    assert!(parse_probe("sctp/1").is_err());
    assert!(parse_probe("tcp/http").is_err());
}
