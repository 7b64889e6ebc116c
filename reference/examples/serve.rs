//! Serves a configuration file until it is interrupted: `serve FILE`.

use fsrvp_reference::config::Config;
use fsrvp_reference::shell::Reference;
use std::error::Error;
use std::path::Path;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let file = std::env::args().nth(1).ok_or("usage: serve FILE")?;
    let server = Reference::start(Config::from_file(Path::new(&file))?).await?;
    #[expect(
        clippy::print_stdout,
        reason = "whoever started it waits for this line"
    )]
    {
        println!("ready {}", server.address());
    }
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}
