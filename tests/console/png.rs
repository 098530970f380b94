//! Makes the pictures of the browser small enough for the documents: at most 256 colours, well compressed.

#![expect(
    clippy::unwrap_used,
    reason = "a picture that cannot be read has failed"
)]

use std::collections::HashMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// A picture with three bytes a pixel.
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

/// Returns the same picture in fewer bytes.
pub(crate) fn smaller(png: &[u8]) -> Vec<u8> {
    write(&read(png))
}

fn chunks(png: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut rest = &png[8..];
    let mut chunks = Vec::new();
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        chunks.push((&rest[4..8], &rest[8..8 + length]));
        rest = &rest[12 + length..];
    }
    chunks
}

fn read(png: &[u8]) -> Picture {
    let chunks = chunks(png);
    let head = chunks.iter().find(|(kind, _)| *kind == b"IHDR").unwrap().1;
    let size = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap()) as usize;
    let (width, height) = (size(0), size(4));
    let depth = if head[9] == 6 { 4 } else { 3 };
    let data: Vec<u8> = chunks
        .iter()
        .filter(|(kind, _)| *kind == b"IDAT")
        .flat_map(|(_, data)| data.iter().copied())
        .collect();
    let mut raw = Vec::new();
    ZlibDecoder::new(data.as_slice())
        .read_to_end(&mut raw)
        .unwrap();
    let stride = width * depth;
    let mut before = vec![0_u8; stride];
    let mut pixels = Vec::with_capacity(width * height);
    for line in raw.chunks(stride + 1) {
        let mut line = line.to_vec();
        let filter = line.remove(0);
        for at in 0..stride {
            let left = if at >= depth { line[at - depth] } else { 0 };
            let corner = if at >= depth { before[at - depth] } else { 0 };
            let above = before[at];
            let guess = match filter {
                1 => left,
                2 => above,
                3 => ((u16::from(left) + u16::from(above)) / 2) as u8,
                4 => paeth(left, above, corner),
                _ => 0,
            };
            line[at] = line[at].wrapping_add(guess);
        }
        pixels.extend(
            line.chunks(depth)
                .map(|pixel| [pixel[0], pixel[1], pixel[2]]),
        );
        before = line;
    }
    Picture {
        width,
        height,
        pixels,
    }
}

fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, above, corner].map(i16::from);
    let guess = a + b - c;
    let [near_a, near_b, near_c] = [a, b, c].map(|value| (guess - value).abs());
    if near_a <= near_b && near_a <= near_c {
        left
    } else if near_b <= near_c {
        above
    } else {
        corner
    }
}

/// The most frequent colours, and for each colour the nearest of them.
fn palette(pixels: &[[u8; 3]]) -> (Vec<[u8; 3]>, HashMap<[u8; 3], u8>) {
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    // Most pixels are like the one before.
    for run in pixels.chunk_by(|a, b| a == b) {
        *counts.entry(run[0]).or_default() += run.len();
    }
    let mut colours: Vec<([u8; 3], usize)> = counts.into_iter().collect();
    // A little of a bright colour says more than a grey between two greys.
    let weight = |(colour, count): &([u8; 3], usize)| {
        let brightest = colour.iter().max().unwrap();
        let chroma = usize::from(brightest - colour.iter().min().unwrap());
        count * (16 + chroma * chroma)
    };
    colours.sort_by(|a, b| weight(b).cmp(&weight(a)).then(a.0.cmp(&b.0)));
    let kept: Vec<[u8; 3]> = colours
        .iter()
        .take(256)
        .map(|(colour, _)| *colour)
        .collect();
    let away = |a: &[u8; 3], b: &[u8; 3]| -> u32 {
        a.iter()
            .zip(b)
            .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
            .sum()
    };
    let nearest = colours.iter().map(|(colour, _)| {
        let places = 0..kept.len();
        let place = places.min_by_key(|place| away(&kept[*place], colour));
        (*colour, place.unwrap_or_default() as u8)
    });
    let nearest = nearest.collect();
    (kept, nearest)
}

fn write(picture: &Picture) -> Vec<u8> {
    let (colours, nearest) = palette(&picture.pixels);
    let mut lines = Vec::with_capacity(picture.pixels.len() + picture.height);
    for line in picture.pixels.chunks(picture.width) {
        lines.push(0);
        for run in line.chunk_by(|a, b| a == b) {
            lines.resize(lines.len() + run.len(), nearest[&run[0]]);
        }
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&lines).unwrap();
    let packed = packed.finish().unwrap();
    let mut head = Vec::new();
    head.extend((picture.width as u32).to_be_bytes());
    head.extend((picture.height as u32).to_be_bytes());
    head.extend([8, 3, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", head),
        (b"PLTE", colours.concat()),
        (b"IDAT", packed),
        (b"IEND", Vec::new()),
    ] {
        png.extend((data.len() as u32).to_be_bytes());
        let from = png.len();
        png.extend(kind);
        png.extend(data);
        let mut sum = flate2::Crc::new();
        sum.update(&png[from..]);
        png.extend(sum.sum().to_be_bytes());
    }
    png
}
