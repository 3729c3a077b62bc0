//! The floor's server, a process of its own: reads frames from one control connection, writes each to every client.
//!
//! A frame is its length as four bytes, big-endian, and that many bytes.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use anyhow::{Context as _, Result, bail};

/// A frame's greatest length: far above any batch that a run writes.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// Serves until the control connection closes. Prints the port it listens on as its only line of output.
pub(crate) fn serve(clients: u32) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on 127.0.0.1")?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    let mut control = accept(&listener)?;
    let mut sockets = (0..clients).map(|_| accept(&listener)).collect::<Result<Vec<_>>>()?;
    // Tells the harness that every client is there.
    control.write_all(&[1])?;
    let mut frame = Vec::new();
    while read_frame(&mut control, &mut frame)? {
        for socket in &mut sockets {
            socket.write_all(&frame).context("a floor client went away")?;
        }
    }
    Ok(())
}

fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Reads a whole frame, length included; false at the end of the stream.
fn read_frame(control: &mut TcpStream, frame: &mut Vec<u8>) -> Result<bool> {
    let mut length = [0; 4];
    match control.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    let size = u32::from_be_bytes(length) as usize;
    if size > FRAME_BYTES_MAX {
        bail!("a frame of {size} bytes is over {FRAME_BYTES_MAX}");
    }
    frame.resize(4 + size, 0);
    frame[..4].copy_from_slice(&length);
    control.read_exact(&mut frame[4..])?;
    Ok(true)
}
