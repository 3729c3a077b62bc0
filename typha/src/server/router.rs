//! Which method a request is for, and its first answer.

use std::{future::ready, net::SocketAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full};
use model::digest::{Digest, Ranges};
use proto::sync::v1::{self as wire, ReportRequest, ReportResponse, SubscribeRequest};
use tonic::Status;

use super::{
    Shared,
    http2::{Answer, Content, Reply, Service},
    message,
};
use crate::{
    batch::{Encoding, frame},
    clients::{Failure, Point, Report, Unreported},
    feed::Board,
    session::{Claim, Position, Session, SessionBody, Subscription},
};

const SUBSCRIBE: &str = "/cattail.sync.v1.Sync/Subscribe";
const REPORT: &str = "/cattail.sync.v1.Sync/Report";
const GRPC: &str = "application/grpc";

/// The bounds of a node's name: those of Kubernetes.
const NODE_BYTES: std::ops::RangeInclusive<usize> = 1..=253;
/// The length of a version that is worth listing.
const VERSION_BYTES: usize = 253;
/// As the protocol says: what a report may list.
const FAILURES: usize = 100;
/// The length of an object that is worth keeping: that of the longest key, a kind with two names of 253 bytes.
const OBJECT_BYTES: usize = 600;
/// The length of a reason that is worth keeping: some lines of text.
const REASON_BYTES: usize = 1000;

/// The methods, for one connection.
pub(super) struct Router {
    shared: Arc<Shared>,
    /// Where the connection sees the state.
    board: Arc<Board>,
    address: SocketAddr,
}

impl Router {
    pub(super) fn new(shared: Arc<Shared>, board: Arc<Board>, address: SocketAddr) -> Self {
        Self { shared, board, address }
    }
}

impl Service for Router {
    fn call(&self, request: Request<Content>) -> Answer {
        let answer = answer(self, request).unwrap_or_else(|status| {
            self.shared.rejections.reject("request", self.address, status.message());
            status.into_http()
        });
        Box::pin(ready(answer))
    }
}

fn answer(router: &Router, request: Request<Content>) -> Result<Response<Reply>, Status> {
    check_form(&request)?;
    let encoding = Encoding::accepted(request.headers());
    let (path, content) = (request.uri().path().to_owned(), request.into_body());
    match path.as_str() {
        SUBSCRIBE => {
            let request = message::read(content)?;
            subscribe(router, encoding, &request)
        }
        REPORT => report(router, message::read(content)?),
        path => Err(Status::unimplemented(format!("there is no method {path}"))),
    }
}

fn check_form(request: &Request<Content>) -> Result<(), Status> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if request.method() != Method::POST || !content_type.starts_with(GRPC) {
        return Err(Status::invalid_argument("this port speaks gRPC (POST, content-type application/grpc) only"));
    }
    Ok(())
}

fn subscribe(router: &Router, encoding: Encoding, request: &SubscribeRequest) -> Result<Response<Reply>, Status> {
    let Router { shared, board, address } = router;
    check_node(&request.node)?;
    let position = request.position.as_ref().map(read_position).transpose()?;
    let claim = request.position.as_ref().map(read_claim).transpose()?.flatten();
    let version = readable(request.version.clone(), VERSION_BYTES);
    let referral = shared.refer(request);
    let registration = shared.clients.register(&request.node, &version, *address);
    registration.holds(position.map_or(0, |position| position.datastore_id));
    tracing::info!(client = %registration, version, from = position.map_or(0, |position| position.revision), "subscribed");
    let doubted = claim.as_ref().and_then(|claim| claim.doubted(position, &shared.board.load().view));
    let complaint = doubted.map(|ranges| shared.doubts.raise(ranges));
    let name = shared.config.name.as_str().into();
    let (put_off, resume_only) = (request.put_off, request.resume_only);
    let subscription = Subscription { position, claim, put_off, resume_only };
    let session = Session::new(name, encoding, subscription, Arc::clone(&shared.admission)).after_complaint(complaint);
    let session = if let Some(ending) = referral { session.refused(ending) } else { session };
    let body = SessionBody::new(session, Arc::clone(board), Arc::clone(&shared.batches), registration);
    let mut response = respond(body.boxed_unsync());
    encoding.announce(response.headers_mut());
    Ok(response)
}

pub(super) fn read_position(position: &wire::Position) -> Result<Position, Status> {
    let digest = Digest::from_bytes(&position.digest)
        .ok_or_else(|| Status::invalid_argument("position.digest must have 16 bytes"))?;
    Ok(Position { datastore_id: position.datastore_id, revision: position.revision, digest })
}

pub(super) fn read_claim(position: &wire::Position) -> Result<Option<Claim>, Status> {
    if position.ranges.is_empty() {
        return Ok(None);
    }
    let ranges = Ranges::from_bytes(&position.ranges)
        .ok_or_else(|| Status::invalid_argument("position.ranges must have 256 times 16 bytes"))?;
    Ok(Some(Claim { ranges, compare: position.compare }))
}

fn report(Router { shared, board, address }: &Router, request: ReportRequest) -> Result<Response<Reply>, Status> {
    check_node(&request.node)?;
    if request.failures.len() > FAILURES {
        return Err(Status::invalid_argument(format!("a report lists at most {FAILURES} failures")));
    }
    let failures = request.failures.into_iter();
    let report = Report {
        applied_revision: request.applied_revision,
        applied_at_unix_ms: request.applied_at_unix_ms,
        failures: failures.map(read_failure).collect(),
    };
    match shared.clients.report(&request.node, *address, report, Point::latest(&board.look().view)) {
        Ok(()) => {}
        Err(foreign @ Unreported::NotItsConnection { .. }) => {
            return Err(Status::permission_denied(foreign.to_string()));
        }
        // No offence: a report can overtake its stream, and a client its replica. It tries again.
        Err(early) => return Ok(Status::failed_precondition(early.to_string()).into_http()),
    }
    let mut trailers = HeaderMap::new();
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    Ok(respond(Full::new(frame(&ReportResponse {})).with_trailers(ready(Some(Ok(trailers)))).boxed_unsync()))
}

fn read_failure(wire::Failure { object, reason }: wire::Failure) -> Failure {
    Failure { object: readable(object, OBJECT_BYTES), reason: readable(reason, REASON_BYTES) }
}

/// What a client says for people, who see it in a log or on a terminal: of what is too long the beginning, and nothing that
/// begins a new line or is a terminal's command.
fn readable(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text }
}

fn check_node(node: &str) -> Result<(), Status> {
    if !NODE_BYTES.contains(&node.len()) {
        return Err(Status::invalid_argument(format!("node must have 1 to 253 bytes, not {}", node.len())));
    }
    if node.contains(char::is_control) {
        return Err(Status::invalid_argument("node must not have control characters"));
    }
    Ok(())
}

fn respond(body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    response
}
