//! A headless Chromium with one page open, driven by the DevTools protocol over a pipe: each message is JSON and ends
//! with a zero byte. No port is opened and no driver program is needed.

use std::{env, path::Path, process::Stdio};

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::harness::within;

/// Chromium takes commands on descriptor 3 and answers on 4; its log, `$0`, is told when it fails.
const START: &str = "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>\"$0\"";

/// As any user, root included, and without a word to hosts outside.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// A browser with one page; killed when dropped.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The command that was sent last.
    id: u64,
    /// The page's session, once there is one.
    session: Option<String>,
    /// What the page complained about: uncaught errors, breaches of its policy, dialogs it opened.
    pub(crate) complaints: Vec<String>,
    profile: TempDir,
}

impl Browser {
    /// Starts Chromium and opens an address.
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let is_there = env::split_paths(&path).any(|folder| folder.join("chromium").is_file());
        anyhow::ensure!(is_there, "the program `chromium` is missing; install it: sudo apt-get install chromium");
        let profile = TempDir::new()?;
        let mut child = command(profile.path()).spawn()?;
        let commands = child.stdin.take().context("no stdin")?;
        let answers = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut browser = Self { child, commands, answers, id: 0, session: None, complaints: Vec::new(), profile };
        browser.attach().await?;
        browser.call("Page.navigate", json!({ "url": url })).await?;
        Ok(browser)
    }

    async fn attach(&mut self) -> anyhow::Result<()> {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", attach).await?;
        self.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            self.call(domain, json!({})).await?;
        }
        Ok(())
    }

    /// What a person reads.
    pub(crate) async fn text(&mut self) -> anyhow::Result<String> {
        let text = self.evaluate("document.body?.innerText ?? ''").await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// The value of a JavaScript expression, or of the promise that it gives.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> anyhow::Result<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", parameters).await?;
        anyhow::ensure!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].clone())
    }

    /// Makes the window so wide, and lets the person prefer a colour scheme: `light` or `dark`.
    pub(crate) async fn look(&mut self, width: u32, scheme: &str) -> anyhow::Result<()> {
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await?;
        let preference = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", preference).await?;
        Ok(())
    }

    /// Ends the browser, which writes into its profile until then.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.session = None;
        self.call("Browser.close", json!({})).await?;
        within(self.child.wait()).await??;
        Ok(())
    }

    async fn call(&mut self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.id += 1;
        let mut command = json!({ "id": self.id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        let mut bytes = serde_json::to_vec(&command)?;
        bytes.push(0);
        self.commands.write_all(&bytes).await?;
        within(self.answer()).await?.with_context(|| format!("{method} failed"))
    }

    async fn answer(&mut self) -> anyhow::Result<Value> {
        loop {
            let mut bytes = Vec::new();
            self.answers.read_until(0, &mut bytes).await?;
            let Some((0, bytes)) = bytes.split_last() else {
                let log = std::fs::read_to_string(log(self.profile.path())).unwrap_or_default();
                anyhow::bail!("chromium has ended; it says: {log}");
            };
            let mut message: Value = serde_json::from_slice(bytes)?;
            if message["id"] == self.id {
                anyhow::ensure!(message["error"].is_null(), "{}", message["error"]);
                return Ok(message["result"].take());
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        let is_complaint = match event["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Page.javascriptDialogOpening") => true,
            // A server that does not answer is no fault of the page.
            Some("Log.entryAdded") => event["params"]["entry"]["source"] != "network",
            _ => false,
        };
        if is_complaint {
            self.complaints.push(event["params"].to_string());
        }
    }
}

fn command(profile: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", START]).arg(log(profile)).args(FLAGS);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

fn log(profile: &Path) -> std::path::PathBuf {
    profile.join("chromium.log")
}
