//! Says what is about to happen to a deployment in the field, and asks.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Result, bail};

use super::FieldArgs;
use crate::scenario::Scenario;

/// Asks unless the run is local or `--yes` was given.
pub(crate) fn confirm(name: &str, scenario: &Scenario, field: &FieldArgs) -> Result<()> {
    if field.is_local() {
        return Ok(());
    }
    eprintln!("{}", announcement(name, scenario, field));
    if field.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        bail!("nothing was done; add --yes to do this without being asked");
    }
    eprint!("Go on? Type yes: ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { bail!("nothing was done") }
}

fn announcement(name: &str, scenario: &Scenario, field: &FieldArgs) -> String {
    let writes = if field.is_written_to() {
        format!(
            "writes {} GlobalNetworkSets named loadtest-*, then {} updates of them at {} transactions/s, and deletes \
             them at the end",
            scenario.keys,
            scenario.writes(),
            scenario.rate
        )
    } else {
        "writes nothing".to_owned()
    };
    let (clients, target) = (scenario.clients, field.target.join(", "));
    format!("{name}: connects {clients} clients to {target}; {writes}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Overrides;

    #[test]
    fn in_the_field_rates_are_safe_unless_asked_for() {
        let field = FieldArgs { target: vec!["typha.example:5473".to_owned()], ..FieldArgs::default() };
        let mut scenario = Scenario::named("burst", &Overrides::default()).unwrap();
        field.restrain(&mut scenario, &Overrides { transaction: Some(7), ..Overrides::default() });
        assert_eq!((scenario.rate, scenario.burst, scenario.transaction), (1.0, 1, 7));
        let text = announcement("burst", &scenario, &field);
        assert!(text.contains("200 clients to typha.example:5473; writes nothing"), "{text}");
        assert!(field.check(&scenario).unwrap_err().to_string().contains("--etcd-endpoints"));
    }
}
