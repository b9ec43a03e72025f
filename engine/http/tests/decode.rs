//! Content decoding: what encoders make comes back as it was, and nothing else comes out of anything.

#[allow(dead_code)]
mod check;

use std::io::Write;

use flate2::{write::DeflateEncoder, write::GzEncoder, write::ZlibEncoder, Compression};
use proptest::prelude::*;
use pummel_http::{Codings, DecodeError, Decoder, DECODED_BODY_BYTES_MAX};

/// "Hello, brotli! " twenty times over, as Node.js makes it at quality 5.
const BROTLI: &[u8] = include_bytes!("data/hello.br");
const BROTLI_TEXT: &str = "Hello, brotli! ";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

fn decode_with(decoder: &mut Decoder, codings: &str, bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut list = Codings::default();
    list.add_field(codings.as_bytes());
    let mut body = bytes.to_vec();
    decoder.decode(list, &mut body, limit).map(|()| body)
}

fn decode(codings: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    decode_with(&mut Decoder::default(), codings, bytes, DECODED_BODY_BYTES_MAX)
}

fn message(codings: &str, bytes: &[u8]) -> String {
    decode(codings, bytes).unwrap_err().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_coding_comes_off_again(bytes in prop::collection::vec(any::<u8>(), 1..20_000), repeated in 1_usize..20) {
        let bytes = bytes.repeat(repeated);
        let mut decoder = Decoder::default();
        // What was coded twice may be longer in between than at the end.
        let limit = 2 * bytes.len() + 1_000;
        for (codings, coded) in [
            ("gzip", gzip(&bytes)),
            ("x-gzip", [gzip(&bytes[..1]), gzip(&bytes[1..])].concat()),
            ("deflate", zlib(&bytes)),
            ("deflate", raw_deflate(&bytes)),
            ("zstd", zstd(&bytes)),
            ("zstd", [zstd(&bytes[..1]), zstd(&bytes[1..])].concat()),
            ("deflate, gzip", gzip(&zlib(&bytes))),
            ("gzip, zstd, identity", zstd(&gzip(&bytes))),
        ] {
            prop_assert!(decode_with(&mut decoder, codings, &coded, limit).as_deref() == Ok(&bytes), "{}", codings);
            let short = decode_with(&mut decoder, codings, &coded[..coded.len() - 1], limit);
            prop_assert!(short.is_err(), "{}", codings);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(data in prop::collection::vec(any::<u8>(), 0..2_000)) {
        check::decode::decode(&data);
    }
}

#[test]
fn brotli_comes_off() {
    assert_eq!(decode("br", BROTLI), Ok(BROTLI_TEXT.repeat(20).into_bytes()));
    assert_eq!(message("br", &BROTLI[..BROTLI.len() - 1]), "the br body ends before it is complete");
    assert_eq!(message("br", &[BROTLI, b"x"].concat()), "the br body is corrupt");
    assert_eq!(message("br", b"\xff\xff\xff\xff"), "the br body is corrupt");
}

#[test]
fn what_is_cut_off_or_wrong_is_told_apart() {
    let text = b"some text that is long enough".repeat(10);
    let coded = gzip(&text);
    assert_eq!(message("gzip", &coded[..coded.len() - 9]), "the gzip body ends before it is complete");
    assert_eq!(message("gzip", &coded[..3]), "the gzip body ends before it is complete");
    let mut wrong_sum = coded.clone();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    assert_eq!(message("gzip", &wrong_sum), "the gzip body is corrupt");
    assert_eq!(message("gzip", &text), "the gzip body is corrupt");
    assert_eq!(message("gzip", &[&coded[..], b"\r\n"].concat()), "the gzip body is corrupt", "as in Go");
    let zlib = zlib(&text);
    assert_eq!(message("deflate", &zlib[..zlib.len() - 6]), "the deflate body ends before it is complete");
    let zstd = zstd(&text);
    assert_eq!(message("zstd", &zstd[..zstd.len() - 1]), "the zstd body ends before it is complete");
    assert_eq!(message("zstd", &text), "the zstd body is corrupt, or needs a window above 8 MiB");
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zeroes = vec![0; DECODED_BODY_BYTES_MAX + 1];
    let bomb = gzip(&zeroes);
    assert!(bomb.len() < 1024 * 1024);
    assert_eq!(message("gzip", &bomb), "the decoded body is larger than 67108864 bytes");
    assert_eq!(decode("zstd, gzip", &gzip(&zstd(&zeroes))).unwrap_err(), DecodeError::TooLarge(DECODED_BODY_BYTES_MAX));
    let fits = gzip(&zeroes[..DECODED_BODY_BYTES_MAX]);
    assert_eq!(decode("gzip", &fits).unwrap().len(), DECODED_BODY_BYTES_MAX);
    let mut decoder = Decoder::default();
    assert_eq!(decode_with(&mut decoder, "gzip", &gzip(b"abc"), 2), Err(DecodeError::TooLarge(2)));
    assert_eq!(
        decode_with(&mut decoder, "gzip", &gzip(b"abc"), 3).as_deref(),
        Ok(&b"abc"[..]),
        "it goes on after a fault"
    );
}

#[test]
fn a_window_above_8_mib_is_refused() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&vec![1; 1000]).unwrap();
    assert_eq!(decode("zstd", &encoder.finish().unwrap()), Err(DecodeError::CorruptOrWindow));
}

#[test]
fn nothing_and_unknown_codings_are_left_as_they_are() {
    assert_eq!(decode("gzip", b"").as_deref(), Ok(&b""[..]));
    assert_eq!(decode("compress", b"abc").as_deref(), Ok(&b"abc"[..]));
    assert_eq!(decode("", b"abc").as_deref(), Ok(&b"abc"[..]));
    assert_eq!(decode("gzip, gzip, gzip, gzip, gzip", b"abc"), Err(DecodeError::TooManyCodings));
    assert_eq!(decode("gzip", &gzip(b"")).as_deref(), Ok(&b""[..]));
}

#[test]
fn every_field_of_a_gzip_header_is_stepped_over() {
    let plain = gzip(b"abc");
    // Extra, name, comment and header checksum, which is not looked at.
    let head = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x02\0xyname\0comment\0hh";
    let full = [&head[..], &plain[10..]].concat();
    assert_eq!(decode("gzip", &full).as_deref(), Ok(&b"abc"[..]));
    for len in 11..head.len() {
        assert!(decode("gzip", &full[..len]).is_err(), "{len}");
    }
}
