//! etcd's KV service: reads, writes, transactions, compaction.

use prost::Message;
use tonic::{Request, Response, Status};

use super::{Api, convert, pb, status};
use crate::embedded::{
    RequestError,
    request::{Answer, Operation, Transaction},
    transaction::REQUEST_MAX,
};

impl Api {
    /// One step as a transaction of its own.
    async fn step(&self, step: Operation) -> Result<(Answer, Option<pb::ResponseHeader>), Status> {
        let transaction = Transaction { success: vec![step], ..Transaction::default() };
        let (answer, revision) = self.engine.transact(transaction).await.map_err(|error| status(&error))?;
        let answer = answer.answers.into_iter().next();
        Ok((answer.ok_or_else(|| status(&RequestError::Closed))?, self.header(revision)))
    }
}

#[tonic::async_trait]
impl pb::kv_server::Kv for Api {
    async fn range(&self, request: Request<pb::RangeRequest>) -> Result<Response<pb::RangeResponse>, Status> {
        let range = convert::range(request.into_inner());
        let (found, revision) = self.engine.range(&range).map_err(|error| status(&error))?;
        Ok(Response::new(convert::found(found, self.header(revision))))
    }

    async fn put(&self, request: Request<pb::PutRequest>) -> Result<Response<pb::PutResponse>, Status> {
        check_size(request.get_ref())?;
        let put = convert::put(request.into_inner());
        match self.step(Operation::Put(put)).await? {
            (Answer::Put { previous }, header) => Ok(Response::new(convert::put_answer(previous.as_ref(), header))),
            _ => Err(mismatched()),
        }
    }

    async fn delete_range(
        &self,
        request: Request<pb::DeleteRangeRequest>,
    ) -> Result<Response<pb::DeleteRangeResponse>, Status> {
        let delete = convert::delete(request.into_inner());
        match self.step(Operation::Delete(delete)).await? {
            (Answer::Delete { deleted, previous }, header) => {
                Ok(Response::new(convert::delete_answer(deleted, &previous, header)))
            }
            _ => Err(mismatched()),
        }
    }

    async fn txn(&self, request: Request<pb::TxnRequest>) -> Result<Response<pb::TxnResponse>, Status> {
        check_size(request.get_ref())?;
        let transaction = convert::transaction(request.into_inner()).map_err(|error| status(&error))?;
        let (answer, revision) = self.engine.transact(transaction).await.map_err(|error| status(&error))?;
        Ok(Response::new(convert::transaction_answer(answer, self.header(revision))))
    }

    async fn compact(
        &self,
        request: Request<pb::CompactionRequest>,
    ) -> Result<Response<pb::CompactionResponse>, Status> {
        let revision = convert::from_wire(request.into_inner().revision);
        self.engine.compact(revision).await.map_err(|error| status(&error))?;
        Ok(Response::new(pb::CompactionResponse { header: self.header(self.engine.revision()) }))
    }
}

fn check_size(request: &impl Message) -> Result<(), Status> {
    if request.encoded_len() > REQUEST_MAX { Err(status(&RequestError::TooLarge)) } else { Ok(()) }
}

/// The engine answers each step in kind; this is for the compiler.
fn mismatched() -> Status {
    Status::internal("the answer does not fit the request")
}
