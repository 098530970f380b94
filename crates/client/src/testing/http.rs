//! The part of HTTP that a worker's client needs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;

use super::super::permit::boot_time;
use super::state::{Call, Mood, Shared, problem};

/// How long it withholds an answer before it checks whether it still should.
const A_WHILE: Duration = Duration::from_secs(60);

/// Serves one request for each connection.
pub(super) fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(call) = read_call(&mut reader)? else {
        return Ok(());
    };
    let mut state = shared.lock();
    state.calls.push(call.clone());
    shared.changed.notify_all();
    let mut patience = state.patience_for(&call);
    while state.mood == Mood::Silent || (!patience.is_zero() && state.has_no_news_for(&call)) {
        if state.is_over {
            return Ok(());
        }
        let asked_at = boot_time();
        let limit = if state.mood == Mood::Silent {
            A_WHILE
        } else {
            patience
        };
        let waited = shared.changed.wait_timeout(state, limit);
        (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        patience = patience.saturating_sub(boot_time().saturating_sub(asked_at));
    }
    let (status, retry_after, body) = match state.mood {
        Mood::Refusing {
            status,
            retry_after,
        } => (status, retry_after, problem(status)),
        Mood::Answering | Mood::Silent => {
            let (status, body) = state.reply(&call);
            (status, None, body)
        }
    };
    drop(state);
    write_reply(stream, status, retry_after, &body)
}

fn read_call(reader: &mut impl BufRead) -> io::Result<Option<Call>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        if name.eq_ignore_ascii_case("authorization") {
            authorization = Some(value.trim().to_owned());
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    Ok(Some(Call {
        method,
        path,
        authorization,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }))
}

fn write_reply(
    mut stream: TcpStream,
    status: u16,
    retry_after: Option<u64>,
    body: &Value,
) -> io::Result<()> {
    let kind = if status == 200 {
        "application/json"
    } else {
        "application/problem+json"
    };
    let body = body.to_string();
    let retry_after = retry_after.map_or(String::new(), |seconds| {
        format!("retry-after: {seconds}\r\n")
    });
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         {retry_after}connection: close\r\n\r\n{body}"
    )
}
