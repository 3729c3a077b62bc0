//! The node agent: the only process that programs a node's kernel.
//!
//! It wires felix-client, which knows what this node must enforce, to the dataplane, which knows how. Data flows
//! typha -> agent -> enforcement -> kernel; acknowledgements flow back.

mod admin;
mod args;
mod daemon;
mod enforcement;
mod kernel;
mod logging;
mod privilege;

use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    match Runtime::new() {
        Ok(runtime) => complete(runtime, process()),
        Err(error) => {
            eprintln!("felix: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs to the end. What blocks then, the look-up of a name for instance, may do so for minutes and has nothing to add: a
/// supervisor kills who waits for it.
fn complete<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

async fn process() -> ExitCode {
    let settings = settings::load::<args::Args>(&args::PROGRAM);
    let result = match logging::start(&settings) {
        Ok(telemetry) => {
            let result = Box::pin(daemon::run(settings.args)).await;
            telemetry.shutdown().await;
            result
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("felix: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn the_end_does_not_wait_for_what_blocks() {
        let (free, blocked) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let work = async move {
            tokio::task::spawn_blocking(move || (began.send(()), blocked.recv()));
            begun.recv_timeout(DEADLINE).expect("it blocks");
        };
        let (end, ended) = mpsc::channel();
        let completing = thread::spawn(move || (complete(Runtime::new().expect("a runtime"), work), end.send(())));
        let in_time = ended.recv_timeout(DEADLINE);
        drop(free);
        assert!(in_time.is_ok() && completing.join().is_ok());
    }
}
