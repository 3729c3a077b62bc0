//! etcd's Lease service.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::{Api, convert, pb, status};
use crate::embedded::RequestError;

/// The shortest and the longest time to live, in seconds. etcd's longest; its shortest depends on its elections.
const TTL_SECONDS: std::ops::RangeInclusive<i64> = 1..=9_000_000_000;

type KeepAlives = Pin<Box<dyn Stream<Item = Result<pb::LeaseKeepAliveResponse, Status>> + Send>>;

#[tonic::async_trait]
impl pb::lease_server::Lease for Api {
    type LeaseKeepAliveStream = KeepAlives;

    async fn lease_grant(
        &self,
        request: Request<pb::LeaseGrantRequest>,
    ) -> Result<Response<pb::LeaseGrantResponse>, Status> {
        let request = request.into_inner();
        let ttl = request.ttl.clamp(*TTL_SECONDS.start(), *TTL_SECONDS.end());
        // A client that names no id gets one that is positive, as etcd's are.
        let id = if request.id == 0 { fastrand::i64(1..) } else { request.id };
        let ttl_duration = Duration::from_secs(convert::from_wire(ttl));
        let revision = self.engine.grant(id, ttl_duration).await.map_err(|error| status(&error))?;
        Ok(Response::new(pb::LeaseGrantResponse { header: self.header(revision), id, ttl, error: String::new() }))
    }

    async fn lease_revoke(
        &self,
        request: Request<pb::LeaseRevokeRequest>,
    ) -> Result<Response<pb::LeaseRevokeResponse>, Status> {
        let revision = self.engine.revoke(request.into_inner().id).await.map_err(|error| status(&error))?;
        Ok(Response::new(pb::LeaseRevokeResponse { header: self.header(revision) }))
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<pb::LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let api = self.clone();
        let stopping = self.stopping.clone().cancelled_owned();
        let answers = request.into_inner().then(move |request| {
            let api = api.clone();
            async move { api.keep_alive(request?.id).await }
        });
        Ok(Response::new(Box::pin(answers.take_until(stopping))))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<pb::LeaseTimeToLiveRequest>,
    ) -> Result<Response<pb::LeaseTimeToLiveResponse>, Status> {
        let id = request.into_inner().id;
        let (ttl, granted_ttl, revision) = match self.engine.time_to_live(id).await {
            Ok(((left, granted), revision)) => (convert::seconds(left), convert::seconds(granted), revision),
            // etcd tells a lease that is not there by a negative time.
            Err(RequestError::LeaseNotFound) => (-1, 0, self.engine.revision()),
            Err(error) => return Err(status(&error)),
        };
        let header = self.header(revision);
        Ok(Response::new(pb::LeaseTimeToLiveResponse { header, id, ttl, granted_ttl, keys: Vec::new() }))
    }
}

impl Api {
    async fn keep_alive(&self, id: i64) -> Result<pb::LeaseKeepAliveResponse, Status> {
        let (ttl, revision) = match self.engine.keep_alive(id).await {
            Ok((ttl, revision)) => (convert::seconds(ttl), revision),
            // etcd tells the end of a lease by a time of 0, not by an error.
            Err(RequestError::LeaseNotFound) => (0, self.engine.revision()),
            Err(error) => return Err(status(&error)),
        };
        Ok(pb::LeaseKeepAliveResponse { header: self.header(revision), id, ttl })
    }
}
