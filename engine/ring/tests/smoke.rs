mod common;
use common::{on_ring, small, Collect};
use pummel_ring::{Event, Payload};
use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

#[test]
fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut s, _) = listener.accept().unwrap();
        let mut b = [0; 100];
        loop {
            let n = s.read(&mut b).unwrap();
            if n == 0 {
                break;
            }
            s.write_all(&b[..n]).unwrap();
        }
    });
    on_ring(small(), move |ring| async move {
        let socket = ring.connect(address, Collect::default()).unwrap();
        assert_eq!(socket.event().await, Event::Connected);
        socket.send(Payload::Owned(b"hello".to_vec()));
        while socket.with(|s| s.bytes.len()) < 5 {
            println!("{:?}", socket.event().await);
        }
        let run = ring.keep(b"again".to_vec());
        socket.send(Payload::Run(run));
        while socket.with(|s| s.bytes.len()) < 10 {
            println!("{:?}", socket.event().await);
        }
        socket.with(|s| assert_eq!(s.bytes, b"helloagain"));
        println!("enters {}", ring.enters());
    });
    server.join().unwrap();
}
