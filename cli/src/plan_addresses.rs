//! Where connections go and come from, and the options of their sockets: what the flags mean.

use std::{
    io,
    net::{IpAddr, UdpSocket},
};

use pummel_engine::{Addresses, Close, IpFamily, Override, Tcp};

use crate::{
    failure::{warn, Failure},
    flags::{AddressFlags, CloseBy},
    values::SOURCES_MAX,
};

/// Where connections go and come from.
///
/// # Errors
/// Wrong usage: source addresses that are not this machine's, or too many.
pub(crate) fn addresses(flags: &AddressFlags) -> Result<Addresses, Failure> {
    Ok(Addresses {
        overrides: overrides(flags),
        unix_socket: flags.unix_socket.clone(),
        family: match (flags.ipv4, flags.ipv6) {
            (true, _) => IpFamily::V4,
            (_, true) => IpFamily::V6,
            _ => IpFamily::Any,
        },
        ttl: flags.dns_ttl,
        sources: sources(flags)?,
    })
}

/// In the order in which curl looks: `--connect-to` as given, then `--resolve`, where the last entry counts and `*` is for
/// hosts that have none.
fn overrides(flags: &AddressFlags) -> Vec<Override> {
    let resolve = |any_host: bool| flags.resolve.iter().rev().filter(move |one| one.host.is_none() == any_host);
    flags.connect_to.iter().chain(resolve(false)).chain(resolve(true)).cloned().collect()
}

fn sources(flags: &AddressFlags) -> Result<Vec<IpAddr>, Failure> {
    let mut sources = Vec::new();
    for &source in flags.source_ip.iter().flatten() {
        if !sources.contains(&source) {
            sources.push(source);
        }
        if sources.len() > SOURCES_MAX {
            return Err(Failure::usage(
                format!("--source-ip has more than {SOURCES_MAX} addresses"),
                "each allows some 28,000 connections to one destination; leave some out",
            ));
        }
    }
    sources.iter().try_for_each(|&source| check_local(source))?;
    Ok(sources)
}

/// Binds to the address, which works for this machine's own only.
fn check_local(source: IpAddr) -> Result<(), Failure> {
    match UdpSocket::bind((source, 0)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            let bits = if source.is_ipv4() { 32 } else { 128 };
            Err(Failure::usage(
                format!("--source-ip: {source} is not an address of this machine"),
                format!("`ip address` lists those it has; `ip address add {source}/{bits} dev INTERFACE` adds one"),
            ))
        }
        Err(error) => Err(Failure::usage(
            format!("--source-ip: {source} cannot be used: {error}"),
            "`ip address` lists the addresses this machine has",
        )),
    }
}

/// Options of TCP sockets. Says what closing with a reset does to servers.
pub(crate) fn tcp(flags: &AddressFlags) -> Tcp {
    let close = match flags.close {
        CloseBy::Fin => Close::Fin,
        CloseBy::Rst => {
            warn(
                "--close rst ends connections with a reset: servers see \"connection reset by peer\", may log it as an \
                 error and count it against this client, and real clients do no such thing",
                Some("to have more ports without it, use --source-ip".into()),
            );
            Close::Rst
        }
    };
    Tcp { nodelay: flags.tcp_nodelay, keepalive: flags.tcp_keepalive, close }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pummel_engine::{Addresses, Close, IpFamily, Tcp, Via};

    use crate::plan::tests::planned_hit;

    fn addresses(more: &[&str]) -> Addresses {
        let arguments: Vec<&str> = ["http://h/"].iter().chain(more).copied().collect();
        planned_hit(&arguments).unwrap().plan.network.addresses
    }

    fn tcp(more: &[&str]) -> Tcp {
        let arguments: Vec<&str> = ["http://h/"].iter().chain(more).copied().collect();
        planned_hit(&arguments).unwrap().plan.network.tcp
    }

    #[test]
    fn without_a_flag_names_are_looked_up_each_minute_and_the_kernel_chooses() {
        let plan = addresses(&[]);
        assert!(plan.overrides.is_empty() && plan.sources.is_empty() && plan.unix_socket.is_none());
        assert_eq!((plan.family, plan.ttl), (IpFamily::Any, Some(Duration::from_mins(1))));
        assert_eq!(tcp(&[]), Tcp { nodelay: true, keepalive: None, close: Close::Fin });
    }

    #[test]
    fn overrides_stand_in_the_order_in_which_curl_looks() {
        let plan = addresses(&[
            "--resolve=*:80:1.1.1.1",
            "--resolve=a:80:1.1.1.2",
            "--connect-to=a:80:b:81",
            "--resolve=a:80:1.1.1.3",
            "--connect-to=::c:",
        ]);
        let shown: Vec<String> = plan
            .overrides
            .iter()
            .map(|one| match &one.via {
                Via::Host { host, .. } => host.clone().unwrap(),
                Via::Addresses(all) => all[0].to_string(),
                Via::Unix(path) => path.display().to_string(),
            })
            .collect();
        assert_eq!(shown, ["b", "c", "1.1.1.3", "1.1.1.2", "1.1.1.1"]);
    }

    #[test]
    fn sources_count_once_and_must_be_this_machines() {
        let plan = addresses(&["--source-ip", "127.0.0.2-127.0.0.3,127.0.0.3", "--source-ip=127.0.0.4", "-4"]);
        let expected: Vec<std::net::IpAddr> = [2, 3, 4].iter().map(|&last| [127, 0, 0, last].into()).collect();
        assert_eq!((plan.sources, plan.family), (expected, IpFamily::V4));
        let failure = planned_hit(&["http://h/", "--source-ip", "192.0.2.1"]).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert_eq!(failure.message(), "--source-ip: 192.0.2.1 is not an address of this machine");
        let many = planned_hit(&["http://h/", "--source-ip", "127.0.0.0/22,127.0.8.0/22"]).unwrap_err();
        assert!(many.message().contains("more than 1024"), "{}", many.message());
    }

    #[test]
    fn options_of_sockets_are_taken_as_given() {
        let plan = addresses(&["--unix-socket", "/run/a.sock", "--dns-ttl", "off", "-6"]);
        assert_eq!(plan.unix_socket.as_deref(), Some(std::path::Path::new("/run/a.sock")));
        assert_eq!((plan.family, plan.ttl), (IpFamily::V6, None));
        let set = tcp(&["--tcp-nodelay=false", "--tcp-keepalive", "30s", "--close", "rst"]);
        assert_eq!(set, Tcp { nodelay: false, keepalive: Some(Duration::from_secs(30)), close: Close::Rst });
    }
}
