//! One message through everything that reads rtnetlink's answers.

use super::{link, table};
use crate::netlink::Message;

/// Whatever it is read as.
pub(crate) fn message(message: &Message<'_>) {
    let _ = (link::read_link(message), link::read_address(message), table::read_route(message));
}
