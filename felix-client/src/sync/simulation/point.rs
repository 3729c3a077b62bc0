//! What is to happen in the simulation and what is to be come to, by name: a fault that nobody ever met proves nothing.

/// Names the points once: for the code that meets them and for people.
macro_rules! points {
    ($($point:ident: $words:literal,)*) => {
        /// Something that happens, or that production code comes to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Point {
            $($point,)*
        }

        impl Point {
            pub(super) const ALL: &[Self] = &[$(Self::$point,)*];

            pub(super) fn words(self) -> &'static str {
                match self {
                    $(Self::$point => $words,)*
                }
            }
        }
    };
}

points! {
    HistoryCompacted: "the datastore's history is compacted",
    DatastoreReplaced: "another datastore takes the place of the first",
    ForeignWrite: "somebody else writes to the datastore",
    MassDeletion: "all keys but one are deleted at once",
    MinutesPassed: "minutes pass at once",
    SourceCutOff: "a replica loses the datastore",
    ListedUnasked: "a replica lists although it need not",
    ListedWithoutHistory: "a replica lists because the history is gone",
    ReplicaRestarted: "a replica restarts",
    ReplicaDrains: "a replica asks its clients to go",
    ReplicaEnds: "a replica that asked its clients to go ends",
    ReplicaUnreachable: "a client finds no replica where there was one",
    ConnectionCut: "a client's connection breaks",
    ClientRestarted: "a client restarts",
    EntryDamaged: "a bit flips in an entry of a replica",
    MessageDamaged: "a bit flips in a message that others may be sent too",
    RecordDamaged: "a client's record of a key and its digest are damaged",
    RecordDamagedAlone: "a client's record of a key is damaged without its digest",
    StateHandedOn: "a client hands on a state",
    SnapshotBegun: "a client gets a snapshot",
    Resumed: "a client resumes",
    RepairBegun: "a client gets the ranges that differ",
    BehindTombstones: "a client comes from before the oldest tombstone",
    RepairedBehindTombstones: "a client from before the oldest tombstone gets ranges instead of a snapshot",
    DigestRefused: "a client refuses a state by its digest",
    OlderOffered: "a client is offered a state that is older than its own",
    MessageUnreadable: "a client cannot read a message",
    EntryReread: "a replica reads a damaged entry again",
    PutOff: "a client is told to come back later",
    ReplicaBehind: "a replica sends on a client that has seen more than it",
    ReplicaNotReady: "a replica that does not have the whole state sends a client on",
    NoResume: "a second stream cannot go on where the first one is",
    Moved: "a client moves without a gap",
    MoveDisagrees: "a second stream does not agree with what the client holds",
    MoveAbandoned: "a client gives a second stream up",
    AskedToGo: "a client with a stream is asked to go",
    WentWithoutMove: "a client that was asked to go leaves without having moved",
    StaleLeft: "a client leaves a replica whose view of the datastore is old",
    StaleKept: "a client stays with an old view",
}
