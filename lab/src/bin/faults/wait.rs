//! Waiting for what is to come about by itself.

use std::{thread, time::Duration};

use anyhow::{Result, bail};
use tokio::time::Instant;

/// How often anything is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Looks again and again until something is so of `it`; in the end, fails with what `explain` says of it.
pub(crate) fn until<T>(
    it: &mut T,
    what: &str,
    limit: Duration,
    mut is_so: impl FnMut(&mut T) -> Result<bool>,
    explain: impl FnOnce(&T) -> String,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !is_so(it)? {
        if Instant::now() > deadline {
            bail!("waited {limit:?} in vain for {what}: {}", explain(it));
        }
        thread::sleep(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_about_is_waited_for_and_what_does_not_is_named() {
        let (mut looks, limit) = (0, Duration::from_secs(20));
        let look = |looks: &mut u32| {
            *looks += 1;
            Ok(*looks == 3)
        };
        until(&mut looks, "the third look", limit, look, u32::to_string).unwrap();
        let never = until(&mut looks, "the moon", Duration::ZERO, |_| Ok(false), |looks| format!("{looks} looks"));
        assert!(never.unwrap_err().to_string().ends_with("in vain for the moon: 3 looks"));
        let broken = until(&mut looks, "it", limit, |_| bail!("it is broken"), u32::to_string);
        assert_eq!(broken.unwrap_err().to_string(), "it is broken");
    }
}
