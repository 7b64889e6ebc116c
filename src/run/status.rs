//! `fsrvp serve --status`: sets, who holds the context, since when, and when the timer frees it.

use fsrvp_reference::agent::{Holder, ShadowCopySet, Status};
use fsrvp_reference::shell::status::{Running, ServerStatus, status};
use std::io::{self, Write};
use std::path::Path;

/// Prints how the server stands whose `--state` is `directory`, as text or as one JSON object.
///
/// # Errors
/// One clause that names the directory or its socket, and the remedy.
pub fn print(directory: &Path, as_json: bool, out: &mut dyn Write) -> Result<(), String> {
    let status = status(directory).map_err(|error| error.to_string())?;
    let written = if as_json {
        serde_json::to_writer_pretty(&mut *out, &status)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        text(&status, out)
    };
    written.map_err(|error| format!("standard output: {error}"))
}

fn text(status: &ServerStatus, out: &mut dyn Write) -> io::Result<()> {
    match &status.server {
        Some(server) => running(server, status, out)?,
        None => writeln!(out, "no server runs; its store holds this:")?,
    }
    if status.agent.sets.is_empty() {
        writeln!(out, "no shadow copy set")?;
    }
    for set in &status.agent.sets {
        print_set(set, status.server.as_ref(), out)?;
    }
    Ok(())
}

fn running(server: &Running, status: &ServerStatus, out: &mut dyn Write) -> io::Result<()> {
    let up = seconds(server.now - server.since);
    writeln!(
        out,
        "{} at {}, process {}, up {up:.0} s",
        server.name, server.address, server.pid
    )?;
    match &status.agent.holder {
        Some(Holder {
            context,
            client_address,
            user,
            since,
        }) => writeln!(
            out,
            "context {context:?} held by {user} from {client_address} for {:.1} s",
            seconds(server.now - since)
        )?,
        None => writeln!(out, "context free")?,
    }
    match status.agent.timer {
        Some(timer) => writeln!(
            out,
            "timer fires in {:.1} s of {:.1} s",
            timer.left_s, timer.limit_s
        ),
        None => writeln!(out, "timer stopped"),
    }
}

fn print_set(set: &ShadowCopySet, server: Option<&Running>, out: &mut dyn Write) -> io::Result<()> {
    let freed = match set.status {
        Status::Recovered => "",
        _ => ", goes when the timer fires",
    };
    let context = set.context();
    writeln!(out, "set {} {:?}, {context:?}{freed}", set.id, set.status)?;
    for copy in &set.copies {
        let age = server.map(|server| seconds(server.now - copy.creation_timestamp));
        let age = age.map_or_else(String::new, |age| format!(", added {age:.1} s ago"));
        writeln!(out, "  shadow copy {}{age}", copy.id)?;
        for mapping in &copy.mappings {
            let exposed = match &mapping.exposed_name {
                Some(name) => format!("exposed as {name}"),
                None => "not exposed".to_owned(),
            };
            writeln!(out, "    {}: {exposed}", mapping.base_name)?;
        }
    }
    Ok(())
}

/// From 100 ns intervals.
#[expect(
    clippy::cast_precision_loss,
    reason = "printed with one digit behind the point"
)]
fn seconds(ticks: i64) -> f64 {
    ticks as f64 / 1e7
}
