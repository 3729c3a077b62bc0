//! One thing that happens, drawn from the seed.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use super::{datastore::KEYS, world::REPLICAS};

#[derive(Clone, Debug, Hash)]
pub(super) enum Event {
    /// The datastore writes (or deletes) keys in one transaction.
    Write(BTreeMap<u64, Option<Bytes>>),
    /// The datastore deletes all keys but one.
    DeleteAllBut(u64),
    /// Somebody else writes to the datastore.
    WriteForeign,
    Compact,
    /// Another datastore takes its place, with the keys whose numbers this divides.
    Replace(u64),
    /// A replica's source reaches the datastore, or does not.
    Source(usize),
    SetConnected(usize, bool),
    /// A replica's source lists although it need not.
    List(usize),
    /// A replica takes in so many events.
    Hear(usize, usize),
    Publish(usize),
    /// So many beats of a replica.
    Beat(usize, usize),
    /// A replica starts, whether it was there or not.
    Restart(usize),
    /// A replica asks its clients to go, and ends after this.
    Drain(usize, Duration),
    /// Time passes.
    Pass(Duration),
    /// A client's streams are sent as much as they take, and it reads so many messages of the first and the second.
    Read(usize, usize, usize),
    /// A client loses its connection; one that has no way of its own goes to this replica.
    Cut(usize, usize),
    /// A client that has no way of its own looks at another replica before it leaves its own.
    Try(usize, usize),
    RestartClient(usize),
    /// As `Cut`, and the replica takes the next client that comes for one that holds nothing.
    Forget(usize, usize),
    /// A bit flips in an entry of a replica.
    DamageReplica(usize),
    /// A bit flips in a message that is on its way to a client, and maybe to others.
    DamageMessage(usize),
    /// What a client knows of a key is damaged, with its digest or without.
    DamageClient(usize, u64, bool),
}

impl Event {
    /// What happens next, among so many clients, with damage or without.
    pub(super) fn draw(random: &mut fastrand::Rng, clients: usize, has_damage: bool) -> Self {
        let (replica, client) = (random.usize(..REPLICAS), random.usize(..clients));
        match random.u32(..if has_damage { 120 } else { 114 }) {
            0..16 => Self::Write((0..random.usize(1..5)).map(|_| write(random)).collect()),
            16..18 => Self::WriteForeign,
            18 => Self::Compact,
            19 if random.u8(..4) == 0 => Self::Replace(random.u64(1..4)),
            19..34 => Self::Source(replica),
            34..38 => Self::SetConnected(replica, random.u8(..3) > 0),
            38 => Self::List(replica),
            39..54 => Self::Hear(replica, random.usize(1..12)),
            54..60 => Self::Publish(replica),
            60..66 => Self::Beat(replica, random.usize(1..4)),
            66..68 => Self::Restart(replica),
            68 => Self::Drain(replica, Duration::from_secs(random.u64(1..20))),
            69 => Self::DeleteAllBut(random.u64(..KEYS)),
            70..76 => Self::Pass(Duration::from_millis(random.u64(1..6000))),
            76 => Self::Pass(Duration::from_mins(random.u64(1..10))),
            77..100 => Self::Read(client, random.usize(1..12), random.usize(0..12)),
            100..105 => Self::Cut(client, replica),
            105..109 => Self::Try(client, replica),
            109 => Self::RestartClient(client),
            110..114 => Self::Forget(client, replica),
            114..116 => Self::DamageReplica(replica),
            116..118 => Self::DamageMessage(client),
            _ => Self::DamageClient(client, random.u64(..KEYS), random.bool()),
        }
    }
}

fn write(random: &mut fastrand::Rng) -> (u64, Option<Bytes>) {
    let number = random.u64(..KEYS);
    // Long for every fifth, so that messages of both forms are compressed and are not.
    let value = format!("{:x}", random.u16(..)).repeat(if number.is_multiple_of(5) { 200 } else { 1 });
    (number, (random.u8(..10) < 7).then(|| value.into()))
}
