//! Peers that must not get in: whatever they ask, they are told the same, which is nothing.

use std::{sync::Arc, time::SystemTime};

use pki::development::Request;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    frames::{PREFACE, settings, subscribe},
    harness::{Certificates, within},
    siege::{Door, SHORT, Siege},
};

/// What a stranger hears: how many bytes above TLS, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    bytes: usize,
    end: String,
}

async fn answer(door: &Door, config: &Arc<ClientConfig>, question: &[u8]) -> anyhow::Result<Answer> {
    let mut stream = match door.tls_with(Arc::clone(config)).await {
        Ok(stream) => stream,
        Err(error) => return Ok(Answer { bytes: 0, end: error.to_string() }),
    };
    // With TLS 1.3 a client may write before the server has looked at its certificate.
    let _ = stream.write_all(question).await;
    let mut heard = Vec::new();
    let end = within(stream.read_to_end(&mut heard)).await?;
    Ok(Answer { bytes: heard.len(), end: end.map_or_else(|error| error.to_string(), |_| "end".to_owned()) })
}

/// Strangers: no certificate, one of another CA, an expired one, and one of somebody else.
fn strangers(siege: &Siege) -> anyhow::Result<Vec<(&'static str, Arc<ClientConfig>)>> {
    let elsewhere = Certificates::new()?;
    let elsewhere_files = elsewhere.issue(&Request::named("felix"))?;
    let expired = Request { not_after: SystemTime::now() - SHORT, ..Request::named("felix") };
    let expired = siege.certificates.authority.write(siege.certificates.path(), "expired", &expired)?;
    let somebody = siege.issue("somebody")?;
    Ok(vec![
        ("nobody", Arc::new(siege.careless(None)?)),
        ("of another CA", Arc::new(siege.careless(Some(&elsewhere_files))?)),
        ("expired", Arc::new(siege.careless(Some(&expired))?)),
        ("somebody else", Arc::new(siege.careless(Some(&somebody))?)),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_learn_nothing() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let (door, strangers) = (siege.door.clone(), strangers(&siege)?);
    let questions = [
        vec![],
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        PREFACE.to_vec(),
        [PREFACE, &settings(&[]), &subscribe(1)].concat(),
    ];
    siege
        .withstand(async {
            for (who, config) in &strangers {
                let nothing_asked = answer(&door, config, &questions[0]).await?;
                eprintln!("{who}: {nothing_asked:?}");
                for question in &questions {
                    let answer = answer(&door, config, question).await?;
                    anyhow::ensure!(answer.bytes == 0 && answer.end != "end", "{who} heard {answer:?}");
                    anyhow::ensure!(answer == nothing_asked, "{who} heard {answer:?} for what it asked");
                }
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_protocols_are_not_spoken() -> anyhow::Result<()> {
    let mut siege = Siege::start().await?;
    let door = siege.door.clone();
    let mut http1 = siege.careless(Some(&siege.issue("felix")?))?;
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    siege
        .withstand(async {
            // HTTP/1.1 within TLS, if TLS comes about at all.
            let heard = answer(&door, &Arc::new(http1), b"GET / HTTP/1.1\r\nhost: typha\r\n\r\n").await?;
            anyhow::ensure!(heard.bytes == 0, "HTTP/1.1 was answered: {heard:?}");
            // Without TLS.
            for plaintext in [&b"GET / HTTP/1.1\r\nhost: typha\r\n\r\n"[..], PREFACE, &[0xff; 4096]] {
                let mut stream = door.tcp().await?;
                stream.write_all(plaintext).await?;
                stream.shutdown().await?;
                let mut heard = Vec::new();
                let _ = within(stream.read_to_end(&mut heard)).await?;
                // At most a TLS alert: a record of seven bytes.
                anyhow::ensure!(heard.len() <= 7, "plaintext was answered with {heard:?}");
            }
            Ok(())
        })
        .await
}
