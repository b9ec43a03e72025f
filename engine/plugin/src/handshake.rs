//! The line by which a plugin says where it listens (hashicorp go-plugin's handshake, hrp spec 19.5).

/// The longest line looked at: an address is a path of at most 108 bytes, or a host and a port. A longer line is the user's own output.
pub const LINE_BYTES_MAX: usize = 4 * 1024;

/// Where a plugin listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// How it is connected to.
    pub network: Network,
    /// `host:port`, or the path of a socket.
    pub address: String,
}

/// How a plugin is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// TCP; the address is `host:port`.
    Tcp,
    /// A Unix socket; the address is its path.
    Unix,
}

/// A handshake that offers what cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Of another version of go-plugin's own protocol, or of funplugin's.
    #[error("it speaks version {core} of go-plugin and version {app} of funplugin; 1 and 1 are known: build it with funplugin 0.5")]
    Version {
        /// Version of go-plugin's protocol.
        core: String,
        /// Version of funplugin's.
        app: String,
    },
    /// Something other than gRPC.
    #[error("it speaks {0}, and only gRPC can be called: build it with funplugin 0.5")]
    Protocol(String),
    /// gRPC over TLS.
    #[error("it wants TLS, which nobody asked it for")]
    Certificate,
}

/// What a line of a plugin's standard output says, without or with the end of the line: none where it is no handshake, but what the
/// user's code prints while it is imported.
///
/// # Errors
/// It is one, of a plugin that cannot be called.
pub fn handshake(line: &[u8]) -> Option<Result<Listening, Unusable>> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let line = std::str::from_utf8(line).ok()?.trim_ascii_end();
    let mut fields = line.split('|');
    let (core, app, network) = (fields.next()?, fields.next()?, fields.next()?);
    let number = |field: &str| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    if !number(core) || !number(app) {
        return None;
    }
    let network = match network {
        "tcp" => Network::Tcp,
        "unix" => Network::Unix,
        _ => return None,
    };
    let address = fields.next().filter(|address| !address.is_empty())?.to_owned();
    // go-plugin took net/rpc for granted before it had gRPC, and left the field away.
    let protocol = fields.next().unwrap_or("netrpc");
    let certificate = fields.next().unwrap_or_default();
    Some(if (core, app) != ("1", "1") {
        Err(Unusable::Version { core: core.to_owned(), app: app.to_owned() })
    } else if protocol != "grpc" {
        Err(Unusable::Protocol(protocol.to_owned()))
    } else if !certificate.is_empty() {
        Err(Unusable::Certificate)
    } else {
        Ok(Listening { network, address })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(network: Network, address: &str) -> Listening {
        Listening { network, address: address.to_owned() }
    }

    #[test]
    fn the_lines_of_real_plugins() {
        assert_eq!(handshake(b"1|1|tcp|127.0.0.1:25237|grpc\n"), Some(Ok(at(Network::Tcp, "127.0.0.1:25237"))));
        assert_eq!(handshake(b"1|1|unix|/tmp/plugin12|grpc|\n"), Some(Ok(at(Network::Unix, "/tmp/plugin12"))));
        assert_eq!(handshake(b"1|1|unix|/tmp/plugin12|grpc||true\r\n"), Some(Ok(at(Network::Unix, "/tmp/plugin12"))));
    }

    #[test]
    fn what_cannot_be_used_is_a_handshake_all_the_same() {
        let unusable = |line: &[u8]| handshake(line).expect("a handshake").expect_err("an unusable one");
        assert_eq!(unusable(b"1|1|unix|/tmp/plugin12|netrpc|"), Unusable::Protocol("netrpc".into()));
        assert_eq!(unusable(b"1|1|unix|/tmp/plugin12"), Unusable::Protocol("netrpc".into()));
        assert_eq!(unusable(b"1|1|unix|/tmp/plugin12|grpc|MIIB"), Unusable::Certificate);
        let version = Unusable::Version { core: "1".into(), app: "2".into() };
        assert_eq!(unusable(b"1|2|tcp|127.0.0.1:1|grpc"), version);
    }

    #[test]
    fn what_a_user_prints_is_no_handshake() {
        let long = format!("1|1|tcp|{}|grpc", "a".repeat(LINE_BYTES_MAX));
        let lines: [&[u8]; 12] = [
            b"",
            b"\n",
            b"hello",
            b"1|1",
            b"1|1|udp|127.0.0.1:1|grpc",
            b"1|1|tcp",
            b"1|1|tcp|",
            b"1|1|tcp||grpc",
            b"1||tcp|127.0.0.1:1|grpc",
            b" 1|1|tcp|127.0.0.1:1|grpc",
            b"1|1|tcp|\xff|grpc",
            long.as_bytes(),
        ];
        for line in lines {
            assert_eq!(handshake(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = handshake(&line);
        }

        #[test]
        fn a_handshake_gives_the_address_it_names(unix in any::<bool>(), address in "[!-{}~]{1,200}", rest in "(|\\||\\|\\|true)", end in "(|\n|\r\n)") {
            let (name, network) = if unix { ("unix", Network::Unix) } else { ("tcp", Network::Tcp) };
            let line = format!("1|1|{name}|{address}|grpc{rest}{end}");
            prop_assert_eq!(handshake(line.as_bytes()), Some(Ok(at(network, &address))));
        }

        #[test]
        fn fields_of_any_kind_are_a_handshake_only_with_two_numbers_and_a_network(
            core in "[0-9a]{0,3}", app in "[0-9a]{0,3}", network in "(tcp|unix|udp|)", address in "[a-z]{0,3}", protocol in "(grpc|netrpc|)",
        ) {
            let number = |field: &str| field.parse::<u16>().is_ok();
            let is_one = number(&core) && number(&app) && matches!(&*network, "tcp" | "unix") && !address.is_empty();
            let line = format!("{core}|{app}|{network}|{address}|{protocol}|");
            let read = handshake(line.as_bytes());
            prop_assert_eq!(read.is_some(), is_one);
            let usable = is_one && core == "1" && app == "1" && protocol == "grpc";
            prop_assert_eq!(read.is_some_and(|read| read.is_ok()), usable);
        }
    }
}
