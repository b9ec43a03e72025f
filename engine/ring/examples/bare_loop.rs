//! The bare ring loop: what one core can do when nothing but sending, receiving and counting happens.
//!
//! No tasks, no pool, no errors kept, no statistics but one histogram. It is the practical limit that `scripts/bench.sh`
//! compares Pummel with, so it uses everything that makes io_uring fast (DEFER_TASKRUN, multishot receive into provided
//! buffers, registered files) and nothing of this crate's driver.
//!
//! `bare_loop --connections 64 --seconds 2 --cpu 0 --url http://127.0.0.1:8080/path` prints one line of JSON:
//! `requests`, `seconds`, `cpu_s` (user and system of the whole process), `rps`, `p50_us`, `p99_us`.
//! The server must answer keep-alive requests with 200 and a Content-Length; anything else ends the program with a sentence.
//!
//! Reading order: `main`, `measure` (the loop), `Buffers`, then the small parts.

// The kernel reads and writes memory that only this file knows of; the workspace allows that in this crate alone.
#![allow(unsafe_code)]

use std::{
    alloc::{alloc_zeroed, handle_alloc_error, Layout},
    error::Error,
    io,
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd,
    process::ExitCode,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use io_uring::{
    cqueue, opcode,
    squeue::{self, Flags},
    types::{BufRingEntry, Fixed, Timespec},
    IoUring,
};

/// A submission queue holds 32,768 entries at most (kernel: IORING_MAX_ENTRIES); a connection needs up to two, the end timer one.
const CONNECTIONS_MAX: usize = 16_000;
/// Receive buffers the kernel may fill before we give them back; when they run out a receive is armed again.
const BUFFERS: u16 = 4096;
/// Bytes of one buffer: a small response fits in one.
const BUFFER_BYTES: usize = 2048;
/// The only buffer group of the ring.
const GROUP: u16 = 0;
/// Headers of one response; a benchmark's server sends fewer than ten.
const HEADERS_MAX: usize = 32;
/// Latencies are kept from 1 us to this, with three digits.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What a completion belongs to stands in the upper half of its user data, the connection's index in the lower.
const RECEIVE: u64 = 0;
const SEND: u64 = 1;
const END: u64 = 2;

type Fault = Box<dyn Error>;

fn main() -> ExitCode {
    match Options::from_args(std::env::args().skip(1)).and_then(|options| measure(&options)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("bare_loop: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the loop for the time asked and returns the line of JSON.
fn measure(options: &Options) -> Result<String, Fault> {
    pin_to(options.cpu)?;
    // Lives until the process ends, which is what lets sends go without asking for their completion.
    let request: &'static [u8] = options.request.clone().leak();
    let sockets = connect(options.address, options.connections)?;
    let files: Vec<i32> = sockets.iter().map(AsRawFd::as_raw_fd).collect();

    let entries = u32::try_from(2 * options.connections + 1)?.next_power_of_two();
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_cqsize(entries.max(u32::from(BUFFERS)) * 2)
        .build(entries)?;
    ring.submitter().register_files(&files)?;
    let mut buffers = Buffers::register(&ring)?;

    let receive = |index: usize| {
        opcode::RecvMulti::new(Fixed(index as u32), GROUP).build().user_data(RECEIVE << 32 | index as u64)
    };
    let send = |index: usize| {
        opcode::Send::new(Fixed(index as u32), request.as_ptr(), request.len() as u32)
            .flags(libc::MSG_WAITALL)
            .build()
            .flags(Flags::SKIP_SUCCESS)
            .user_data(SEND << 32 | index as u64)
    };

    let mut latency = Histogram::<u32>::new_with_bounds(1, LATENCY_US_MAX, 3)?;
    let mut partial: Vec<Vec<u8>> = vec![Vec::new(); options.connections];
    let length = Timespec::new().sec(options.seconds);
    let start = Instant::now();
    let mut sent_at = vec![start; options.connections];
    let mut requests = 0_u64;

    {
        let mut queue = ring.submission();
        push(&mut queue, &opcode::Timeout::new(&raw const length).build().user_data(END << 32))?;
        for index in 0..options.connections {
            push(&mut queue, &receive(index))?;
            push(&mut queue, &send(index))?;
        }
    }
    'load: loop {
        ring.submit_and_wait(1)?;
        let (_, mut queue, completions) = ring.split();
        for completion in completions {
            let index = (completion.user_data() & u64::from(u32::MAX)) as usize;
            match completion.user_data() >> 32 {
                RECEIVE => {}
                END => break 'load,
                _ => return Err(format!("a send failed: {}", os_error(completion.result())).into()),
            }
            let received = match completion.result() {
                0 => return Err("the server closed a connection; it must keep them alive".into()),
                count if count > 0 => count as usize,
                code if code == -libc::ENOBUFS => {
                    push(&mut queue, &receive(index))?;
                    continue;
                }
                code => return Err(format!("a receive failed: {}", os_error(code)).into()),
            };
            let buffer = cqueue::buffer_select(completion.flags()).ok_or("the kernel named no buffer")?;
            let done = whole_response(&mut partial[index], buffers.bytes(buffer, received))?;
            buffers.give_back(buffer);
            if !cqueue::more(completion.flags()) {
                push(&mut queue, &receive(index))?;
            }
            if done {
                requests += 1;
                let now = Instant::now();
                let us = (now - sent_at[index]).as_micros() as u64;
                latency.record(us.clamp(1, LATENCY_US_MAX))?;
                sent_at[index] = now;
                push(&mut queue, &send(index))?;
            }
        }
        buffers.publish();
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(format!(
        "{{\"requests\":{requests},\"seconds\":{seconds:.6},\"cpu_s\":{:.6},\"rps\":{:.1},\"p50_us\":{},\"p99_us\":{}}}",
        cpu_time().as_secs_f64(),
        requests as f64 / seconds,
        latency.value_at_quantile(0.50),
        latency.value_at_quantile(0.99),
    ))
}

/// The receive buffers and the ring through which they are given to the kernel (kernel 5.19, `io_uring_register_buf_ring(3)`).
struct Buffers {
    entries: *mut BufRingEntry,
    memory: *mut u8,
    tail: u16,
}

impl Buffers {
    /// Allocates the buffers, registers their ring and gives all of them to the kernel. They live as long as the process.
    fn register(ring: &IoUring) -> Result<Self, Fault> {
        let entries: *mut BufRingEntry = leak_pages(usize::from(BUFFERS))?;
        let memory: *mut u8 = leak_pages(usize::from(BUFFERS) * BUFFER_BYTES)?;
        // SAFETY: the entries are page aligned, hold `BUFFERS` (a power of two) and are never freed, so they outlive the ring.
        unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, BUFFERS, GROUP, 0)? };
        let mut buffers = Self { entries, memory, tail: 0 };
        for id in 0..BUFFERS {
            buffers.give_back(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The first `length` bytes of a buffer the kernel filled and we have not given back yet.
    fn bytes(&self, id: u16, length: usize) -> &[u8] {
        assert!(id < BUFFERS && length <= BUFFER_BYTES, "the kernel names only buffers it was given");
        // SAFETY: inside the allocation by the assertion, zeroed at first and so initialised; the kernel does not write to
        // it before `give_back`, which needs `&mut self` and so cannot happen while this slice lives.
        unsafe { std::slice::from_raw_parts(self.memory.add(usize::from(id) * BUFFER_BYTES), length) }
    }

    /// Queues a buffer for the kernel; it may use it after the next [`publish`](Self::publish).
    fn give_back(&mut self, id: u16) {
        let place = usize::from(self.tail & (BUFFERS - 1));
        // SAFETY: `place` is below `BUFFERS` by the mask, so the entry and the buffer lie inside their allocations. The kernel
        // reads entries only up to the published tail, and there are as many entries as buffers, so this one is ours.
        unsafe {
            let entry = &mut *self.entries.add(place);
            entry.set_addr(self.memory.add(usize::from(id) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see every buffer given back so far.
    fn publish(&self) {
        // SAFETY: the tail is a field of the first entry, aligned for u16 and alive as long as the process; user space is its
        // only writer, the kernel its only reader, and the release store orders the entries before it.
        unsafe {
            let tail = BufRingEntry::tail(self.entries).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

/// Zeroed memory for `count` values, page aligned as the kernel wants it, never freed.
fn leak_pages<T>(count: usize) -> Result<*mut T, Fault> {
    let layout = Layout::array::<T>(count)?.align_to(4096)?;
    // SAFETY: the layout has a size above zero, both callers ask for thousands of bytes.
    let pages = unsafe { alloc_zeroed(layout) };
    if pages.is_null() {
        handle_alloc_error(layout);
    }
    Ok(pages.cast())
}

/// Queues an entry for the next submit.
fn push(queue: &mut squeue::SubmissionQueue<'_>, entry: &squeue::Entry) -> Result<(), Fault> {
    // SAFETY: the entries made in `measure` point at the request, which is never freed, or at the length of the run, which
    // stands in `measure` above the only submits there are.
    unsafe { queue.push(entry) }.map_err(|_| "the submission queue is full; lower --connections".into())
}

/// Adds bytes to a connection's response; true when they complete it.
fn whole_response(partial: &mut Vec<u8>, bytes: &[u8]) -> Result<bool, Fault> {
    if partial.is_empty() && is_whole(bytes)? {
        return Ok(true);
    }
    partial.extend_from_slice(bytes);
    let whole = is_whole(partial)?;
    if whole {
        partial.clear();
    }
    Ok(whole)
}

/// Whether the bytes are exactly one response.
fn is_whole(bytes: &[u8]) -> Result<bool, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(false) };
    if response.code != Some(200) {
        return Err(format!("the server answered {:?}, not 200", response.code).into());
    }
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .ok_or("the server sent no Content-Length; this loop reads nothing else")?;
    let body: usize = std::str::from_utf8(length.value)?.trim().parse()?;
    match bytes.len().cmp(&(head + body)) {
        std::cmp::Ordering::Less => Ok(false),
        std::cmp::Ordering::Equal => Ok(true),
        std::cmp::Ordering::Greater => Err("more bytes came than one request asked for".into()),
    }
}

/// Opens the connections, one after the other: the time that takes is not measured.
fn connect(address: SocketAddr, connections: usize) -> Result<Vec<TcpStream>, Fault> {
    (0..connections)
        .map(|_| {
            let socket = TcpStream::connect(address).map_err(|error| format!("connect to {address}: {error}"))?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
        .collect()
}

/// Keeps this thread, the only one, on one CPU.
fn pin_to(cpu: usize) -> Result<(), Fault> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(format!("--cpu {cpu}: this kernel interface numbers CPUs below {}", libc::CPU_SETSIZE).into());
    }
    // SAFETY: a `cpu_set_t` is plain bits, so zeroed is a valid value; `CPU_SET` stays inside it by the check above; the call
    // reads exactly the size given.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(format!("cannot run on CPU {cpu}: {}", io::Error::last_os_error()).into())
    }
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    // SAFETY: an `rusage` is plain numbers, so zeroed is a valid value, and the call writes only into it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let duration = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

fn os_error(negative_code: i32) -> io::Error {
    io::Error::from_raw_os_error(-negative_code)
}

/// What was asked for on the command line.
struct Options {
    connections: usize,
    seconds: u64,
    cpu: usize,
    address: SocketAddr,
    request: Vec<u8>,
}

impl Options {
    fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, Fault> {
        let (mut connections, mut seconds, mut cpu, mut url) = (64, 2, 0, String::new());
        while let Some(flag) = args.next() {
            let value = args.next().ok_or_else(|| format!("{flag} wants a value"))?;
            let wrong = |error: std::num::ParseIntError| format!("{flag} {value}: {error}");
            match flag.as_str() {
                "--connections" => connections = value.parse().map_err(wrong)?,
                "--seconds" => seconds = value.parse().map_err(wrong)?,
                "--cpu" => cpu = value.parse().map_err(wrong)?,
                "--url" => url = value,
                _ => return Err(format!("{flag} is not one of --connections, --seconds, --cpu, --url").into()),
            }
        }
        if connections == 0 || connections > CONNECTIONS_MAX || seconds == 0 {
            return Err(format!("--connections goes from 1 to {CONNECTIONS_MAX}, --seconds from 1").into());
        }
        let rest = url.strip_prefix("http://").ok_or("--url wants http://ADDRESS:PORT/path")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = authority.parse().map_err(|_| format!("--url: {authority} is not a numeric ADDRESS:PORT"))?;
        let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\n\r\n").into_bytes();
        Ok(Self { connections, seconds, cpu, address, request })
    }
}
