//! The floor's harness: starts its server, connects its clients, writes by the schedule, reads latencies.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{Floor, Plan};
use crate::{
    process::{self, Usage},
    recorder::Recorder,
    schedule::Schedule,
};

/// Bytes of the intended time at the head of a frame's payload.
const STAMP_BYTES: usize = 8;
/// Time for the clients to read what is under way when the last frame was written.
const DRAIN: Duration = Duration::from_secs(30);
/// Between the last client's arrival and the first write, so that connecting is not measured.
const LEAD: Duration = Duration::from_millis(200);

/// A child process that ends with us.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the floor.
pub(crate) async fn run(plan: &Plan) -> Result<Floor> {
    let (child, port) = start(plan.clients).await?;
    let pid = child.0.id();
    let mut control = connect(port).await?;
    let recorder = Arc::new(Recorder::default());
    let epoch = Instant::now();
    let payload_bytes = plan.frame_bytes.max(STAMP_BYTES + 4) - 4;
    let mut clients = JoinSet::new();
    for client in 0..plan.clients as usize {
        let socket = connect(port).await?;
        clients.spawn(read(socket, client, plan.frames, payload_bytes, epoch, Arc::clone(&recorder)));
    }
    control.read_u8().await.context("the floor server did not start")?;
    let before = Usage::of(pid)?;
    let schedule = Schedule::new(Instant::now() + LEAD, plan.rate, plan.burst);
    write(&mut control, &schedule, plan.frames, payload_bytes, epoch).await?;
    let drained = timeout(DRAIN, async {
        while let Some(client) = clients.join_next().await {
            client.context("a floor client panicked")??;
        }
        anyhow::Ok(())
    });
    drained.await.context("the floor's clients did not get all frames")??;
    let cpu_us = Usage::of(pid)?.cpu_us_since(&before) as f64;
    Ok(Floor { cpu_us_per_client_update: cpu_us / plan.updates, latency_ms: recorder.histogram().percentiles() })
}

async fn start(clients: u32) -> Result<(Reaped, u16)> {
    let program = std::env::current_exe().context("cannot find our own program")?;
    let mut command = Command::new(program);
    command.args(["floor-server", "--clients", &clients.to_string()]).stdout(Stdio::piped());
    process::end_with_us(&mut command);
    let mut child = Reaped(command.spawn().context("cannot start the floor server")?);
    let stdout = child.0.stdout.take().context("the floor server has no output")?;
    let mut line = String::new();
    BufReader::new(tokio::process::ChildStdout::from_std(stdout)?).read_line(&mut line).await?;
    let port = line.trim().parse().context("the floor server printed no port")?;
    Ok((child, port))
}

async fn connect(port: u16) -> Result<TcpStream> {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.context("cannot connect to the floor server")?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn write(
    control: &mut TcpStream,
    schedule: &Schedule,
    frames: u64,
    payload_bytes: usize,
    epoch: Instant,
) -> Result<()> {
    let mut frame = vec![0; 4 + payload_bytes];
    frame[..4].copy_from_slice(&(payload_bytes as u32).to_be_bytes());
    for index in 0..frames {
        let intended = schedule.intended(index);
        sleep_until(intended).await;
        let stamp = intended.duration_since(epoch).as_micros() as u64;
        frame[4..4 + STAMP_BYTES].copy_from_slice(&stamp.to_be_bytes());
        control.write_all(&frame).await?;
    }
    Ok(())
}

async fn read(
    mut socket: TcpStream,
    client: usize,
    frames: u64,
    payload_bytes: usize,
    epoch: Instant,
    recorder: Arc<Recorder>,
) -> Result<()> {
    let mut frame = vec![0; 4 + payload_bytes];
    for _ in 0..frames {
        socket.read_exact(&mut frame).await?;
        let mut stamp = [0; STAMP_BYTES];
        stamp.copy_from_slice(&frame[4..4 + STAMP_BYTES]);
        let intended = epoch + Duration::from_micros(u64::from_be_bytes(stamp));
        recorder.record(client, Instant::now().saturating_duration_since(intended), 1);
    }
    Ok(())
}
