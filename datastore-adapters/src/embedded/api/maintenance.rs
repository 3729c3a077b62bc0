//! etcd's Maintenance service: the status, for `etcdctl endpoint status` and clients that look at the version.

use tonic::{Request, Response, Status};

use super::{Api, convert, pb};

/// The version of etcd whose API this is a part of.
const API_VERSION: &str = "3.4.0";

#[tonic::async_trait]
impl pb::maintenance_server::Maintenance for Api {
    async fn status(&self, _: Request<pb::StatusRequest>) -> Result<Response<pb::StatusResponse>, Status> {
        let revision = self.engine.revision();
        let size = std::fs::metadata(self.engine.path()).map_or(0, |file| file.len());
        Ok(Response::new(pb::StatusResponse {
            header: self.header(revision),
            version: API_VERSION.to_owned(),
            db_size: convert::to_wire(size),
            db_size_in_use: convert::to_wire(size),
            leader: self.engine.datastore_id(),
            raft_index: revision,
            raft_applied_index: revision,
            raft_term: 1,
            ..pb::StatusResponse::default()
        }))
    }
}
