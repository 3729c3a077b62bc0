//! The contract of every datastore, run against each of them: the embedded store over its API, Debian's etcd, and the
//! etcd in `$CATTAIL_ETCD` where that is set. Each case starts a datastore of its own and ends it.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod mirror;
mod peer;
mod proxy;
mod source_contract;
mod store_contract;

/// Makes a test of each case for each datastore.
macro_rules! conformance {
    ($($contract:ident: $($case:ident)*;)*) => {
        mod embedded {$($(
            #[tokio::test]
            async fn $case() {
                super::$contract::$case(super::peer::Peer::embedded().await).await;
            }
        )*)*}
        mod etcd {$($(
            #[tokio::test]
            async fn $case() {
                super::$contract::$case(super::peer::Peer::etcd("etcd").await).await;
            }
        )*)*}
        mod newer_etcd {$($(
            #[tokio::test]
            async fn $case() {
                if let Ok(binary) = std::env::var("CATTAIL_ETCD") {
                    super::$contract::$case(super::peer::Peer::etcd(&binary).await).await;
                } else {
                    println!("not asked for: CATTAIL_ETCD names no etcd");
                }
            }
        )*)*}
    };
}

conformance! {
    store_contract:
        creates_reads_updates_and_deletes
        refuses_to_create_what_exists
        refuses_to_write_over_a_change_it_has_not_seen
        lists_in_order_of_keys_and_at_one_revision
        writes_a_transaction_as_one_revision
        refuses_a_transaction_that_is_too_large
        keeps_unknown_fields_and_strips_the_revision
        stores_as_calico_does
        finds_policies_under_their_former_names
        refuses_a_name_with_a_slash
        names_a_datastore_that_is_down
        passes_over_an_endpoint_that_is_down;
    source_contract:
        lists_and_then_follows
        sends_a_transaction_in_one_piece
        ignores_foreign_keys_and_passes_on_what_it_cannot_read
        projects_kubernetes_objects
        lists_more_than_a_page
        waits_for_a_datastore_that_is_down_at_start
        resumes_where_it_was
        lists_again_after_compaction_and_clears_nothing
        notices_a_connection_that_went_silent
        proves_progress_past_foreign_writes
        reads_lost_keys_again
        notices_another_datastore;
}
