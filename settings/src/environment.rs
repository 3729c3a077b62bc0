//! Environment variables that look like settings and are none.

use clap::Command;

use crate::{definition::Program, spelling};

/// What is wrong with the environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Slips of the pen: whoever set them believes in a setting that is not in force.
    pub(crate) mistakes: Vec<String>,
    /// Variables that may be somebody else's.
    pub(crate) remarks: Vec<String>,
}

/// Looks at every variable that is set. Values are looked at, never told.
pub(crate) fn check(
    program: &Program,
    command: &Command,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Findings {
    let known = known(command);
    let mut findings = Findings::default();
    for (name, value) in variables {
        if known.contains(&name) || is_of_a_service(&name, &value) {
            continue;
        }
        let own = name.strip_prefix(program.prefix);
        let slip_of = known.iter().find(|known| spelling::is_slip(own.unwrap_or(&name), bare(program, known, own)));
        match (own, slip_of) {
            (Some(_), Some(meant)) => {
                findings.mistakes.push(format!("the environment variable {name} is no setting; did you mean {meant}?"));
            }
            (Some(own), None) => {
                let candidates = known.iter().map(|known| bare(program, known, Some(own)));
                let near = spelling::nearest(own, candidates);
                let meant = near.and_then(|near| known.iter().find(|known| bare(program, known, Some(own)) == near));
                let hint = meant.map(|meant| format!("; the nearest is {meant}")).unwrap_or_default();
                findings.remarks.push(format!("the environment variable {name} is no setting and is ignored{hint}"));
            }
            (None, Some(meant)) => {
                findings.remarks.push(format!("the environment variable {name} is not read here; {meant} would be"));
            }
            (None, None) => {}
        }
    }
    findings.mistakes.sort();
    findings.remarks.sort();
    findings
}

/// Kubernetes tells a pod of every service by variables, `TYPHA_SERVICE_HOST` and `TYPHA_PORT_5473_TCP` among them
/// where a service is called `typha`.
fn is_of_a_service(name: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && is_url)
        || name.match_indices("_PORT_").any(|(at, sign)| is_port(&name[at + sign.len()..]))
}

/// `5473_TCP`, `5473_TCP_ADDR` and the like.
fn is_port(text: &str) -> bool {
    let mut words = text.split('_');
    let number = words.next().is_some_and(|word| word.parse::<u16>().is_ok());
    let protocol = matches!(words.next(), Some("TCP" | "UDP" | "SCTP"));
    number && protocol && matches!(words.next(), None | Some("PROTO" | "PORT" | "ADDR")) && words.next().is_none()
}

/// A known name as it is to be compared with an unknown one: without the prefix where the other's was taken off.
fn bare<'a>(program: &Program, known: &'a str, own: Option<&str>) -> &'a str {
    own.and_then(|_| known.strip_prefix(program.prefix)).unwrap_or(known)
}

/// Every variable that a binary reads, those of its subcommands included.
fn known(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|arg| arg.get_env());
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(known)).collect()
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    const PROGRAM: Program = Program { prefix: "TYPHA_", config_env: "TYPHA_CONFIG" };

    fn findings(variables: &[(&str, &str)]) -> Findings {
        let command = Command::new("typha").args(
            [("endpoints", "ETCD_ENDPOINTS"), ("listen", "TYPHA_LISTEN"), ("cert", "TYPHA_CERT_FILE")]
                .map(|(name, env)| Arg::new(name).env(env)),
        );
        check(&PROGRAM, &command, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn slips_are_mistakes_with_what_was_meant() {
        for (name, meant) in [
            ("TYPHA_LISTN", "TYPHA_LISTEN"),
            ("TYPHA_CERTFILE", "TYPHA_CERT_FILE"),
            ("TYPHA_ETCD_ENPOINTS", "ETCD_ENDPOINTS"),
            ("TYPHA_ETCDENDPOINTS", "ETCD_ENDPOINTS"),
        ] {
            let found = findings(&[(name, "secret")]);
            let expected = format!("the environment variable {name} is no setting; did you mean {meant}?");
            assert_eq!(found, Findings { mistakes: vec![expected], remarks: vec![] });
        }
    }

    #[test]
    fn what_may_be_somebody_elses_is_remarked() {
        let found = findings(&[("TYPHA_IMAGE_TAG", "v1"), ("TYPHA_SERVERCERTFILE", "x"), ("ETCD_ENDPOINT", "x")]);
        assert_eq!(found.mistakes, Vec::<String>::new());
        assert_eq!(found.remarks.len(), 3, "{:?}", found.remarks);
        assert!(found.remarks[0].contains("ETCD_ENDPOINTS would be"), "{:?}", found.remarks);
    }

    #[test]
    fn what_kubernetes_sets_for_services_passes() {
        let host = "10.96.0.10";
        let url = "tcp://10.96.0.10:5473";
        let all = [
            ("TYPHA_SERVICE_HOST", host),
            ("TYPHA_SERVICE_PORT", "5473"),
            ("TYPHA_SERVICE_PORT_GRPC", "5473"),
            ("TYPHA_PORT", url),
            ("TYPHA_PORT_5473_TCP", url),
            ("TYPHA_PORT_5473_TCP_PROTO", "tcp"),
            ("TYPHA_PORT_5473_TCP_PORT", "5473"),
            ("TYPHA_PORT_5473_TCP_ADDR", host),
            ("TYPHA_ADMIN_SERVICE_HOST", host),
            ("TYPHA_ADMIN_PORT_9098_TCP", url),
            ("CALICO_TYPHA_SERVICE_HOST", host),
            ("CALICO_TYPHA_PORT", url),
            ("KUBERNETES_SERVICE_HOST", host),
            ("PATH", "/bin"),
        ];
        assert_eq!(findings(&all), Findings::default());
        assert_eq!(findings(&[("TYPHA_PORT", "5473")]).remarks.len(), 1, "no service has a bare number there");
    }
}
