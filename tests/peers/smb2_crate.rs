//! The crate `smb2`, a client of nobody's in this house, on base and exposed shares.

use crate::serve::{ADMIN, Serve, Store};
use crate::tool::Tool;
use crate::{Outcome, trial};
use libtest_mimic::{Failed, Trial};
use smb2::{ClientConfig, SmbClient};
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("smb2_crate::signed", &["rpcclient"], false, || {
            run(Serve::start(Store::Any)?)
        }),
        trial("smb2_crate::encrypted", &["rpcclient"], false, || {
            run(Serve::configured(
                "encryption = \"required\"\n",
                &[("data", "")],
            )?)
        }),
    ]
}

fn run(server: Serve) -> Outcome {
    fs::write(server.share("data").join("hello.txt"), "as it was\n")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut client = runtime.block_on(connect(server.port))?;
    runtime.block_on(browse(&mut client, "data"))?;
    runtime.block_on(change(&mut client, "data"))?;

    let exposed = |access: &str| expose(server.port, access);
    let (read_only, _) = exposed("ro")?;
    runtime.block_on(browse(&mut client, &read_only))?;
    if runtime.block_on(change(&mut client, &read_only)).is_ok() {
        return Err("a read-only shadow copy was changed".into());
    }
    let (writable, set) = exposed("rw")?;
    runtime.block_on(browse(&mut client, &writable))?;
    runtime.block_on(change(&mut client, &writable))?;
    rpc(server.port, &format!("fss_recovery_complete {set}"))?;
    runtime.block_on(browse(&mut client, &writable))?;
    if runtime.block_on(change(&mut client, &writable)).is_ok() {
        return Err("a recovered shadow copy was changed".into());
    }
    let left = fs::read_dir(server.share("data"))?.count();
    // The file, and the place of the shadow copies, which clients do not see.
    match left {
        2 => Ok(()),
        _ => Err(format!("{left} entries are left in the base share").into()),
    }
}

async fn connect(port: u16) -> Result<SmbClient, Failed> {
    let config = ClientConfig {
        addr: format!("127.0.0.1:{port}"),
        username: ADMIN.name.to_owned(),
        password: ADMIN.password.to_owned(),
        ..ClientConfig::default()
    };
    Ok(SmbClient::connect(config).await?)
}

/// Lists shares and a directory, looks at a file and reads it.
async fn browse(client: &mut SmbClient, share: &str) -> Outcome {
    let shares = client.list_shares().await?;
    if !shares.iter().any(|listed| listed.name == share) {
        return Err(format!("{share} is not listed").into());
    }
    let mut tree = client.connect_share(share).await?;
    let entries = client.list_directory(&mut tree, "").await?;
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let size = client.stat(&mut tree, "hello.txt").await?.size;
    let text = client.read_file(&mut tree, "hello.txt").await?;
    client.disconnect_share(&tree).await?;
    match names.contains(&"hello.txt") && size == 10 && text == b"as it was\n" {
        true => Ok(()),
        false => Err(format!("{share} holds {names:?}, {size} bytes, {text:?}").into()),
    }
}

/// Makes a directory and a file of several messages, reads it back, renames and deletes it.
async fn change(client: &mut SmbClient, share: &str) -> Outcome {
    let data: Vec<u8> = (0u32..1_000_000).flat_map(u32::to_le_bytes).collect();
    let mut tree = client.connect_share(share).await?;
    client.create_directory(&tree, "dir").await?;
    client
        .write_file_pipelined(&tree, "dir/one.bin", &data)
        .await?;
    client.rename(&tree, "dir/one.bin", "dir/two.bin").await?;
    let back = client.read_file_pipelined(&mut tree, "dir/two.bin").await?;
    if back != data {
        return Err(format!("{} bytes came back, or others", back.len()).into());
    }
    if client.read_file(&mut tree, "dir/one.bin").await.is_ok() {
        return Err("the old name is still there".into());
    }
    // The crate sends a colon as a private character, so that it names files with it and no streams.
    client
        .write_file(&tree, "dir/two.bin:notes", b"no stream")
        .await?;
    let names = client.list_directory(&mut tree, "dir").await?;
    if names.len() < 2 {
        return Err("a colon of the crate named a stream".into());
    }
    client.delete_file(&tree, "dir/two.bin:notes").await?;
    client.delete_file(&tree, "dir/two.bin").await?;
    client.delete_directory(&tree, "dir").await?;
    if !client
        .fs_info(&mut tree)
        .await
        .is_ok_and(|info| info.total_bytes > 0)
    {
        return Err("the file system has no size".into());
    }
    client.disconnect_share(&tree).await?;
    Ok(())
}

/// Exposes a shadow copy of the share; gives the new share and its set.
fn expose(port: u16, access: &str) -> Result<(String, String), Failed> {
    let made = rpc(
        port,
        &format!("fss_create_expose app_rollback {access} data"),
    )?;
    let line = made.lines().find(|line| line.contains(" exposed as "));
    let parts = line.and_then(|line| {
        let (set, _) = line.split_once('(')?;
        let (_, rest) = line.split_once("share ")?;
        Some((rest.split_once(" exposed")?.0.to_owned(), set.to_owned()))
    });
    let exposed = parts.ok_or_else(|| format!("nothing was exposed:\n{made}"))?;
    if access == "ro" {
        rpc(port, &format!("fss_recovery_complete {}", exposed.1))?;
    }
    Ok(exposed)
}

fn rpc(port: u16, command: &str) -> Result<String, Failed> {
    let options = ["--client-protection=encrypt"];
    Ok(Tool::rpcclient_with(port, ADMIN, "sign", &options, command)?.success(command)?)
}
