//! The lines that wait to be written, and the thread that writes them.
//!
//! Standard error may be a pipe that is not read. A thread that writes to it then waits, and no other
//! thread of the program may. So a line is put into a queue of bounded size, and one thread of its own
//! writes them:
//!
//! ```text
//!   room: a line is queued ──full──▶ lines are dropped and counted ──room again──▶ a line with their number
//! ```
//!
//! Lines at ERROR have some room of their own: the last line before the end says why it came.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use log::Level;

/// The most bytes that wait.
const ROOM: usize = 1024 * 1024;

/// How much more of it lines at ERROR may use.
const RESERVE: usize = 64 * 1024;

/// What the memory of a line costs beside its text.
const OVERHEAD: usize = 32;

/// Makes the line that says how many lines were dropped.
type Notice = Box<dyn Fn(u64) -> String + Send + Sync>;

/// The lines that wait. Clones are the same queue.
#[derive(Clone)]
pub(super) struct Queue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// A line was queued.
    queued: Condvar,
    /// Nothing waits any more.
    idle: Condvar,
    notice: Notice,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Waiting>,
    bytes: usize,
    is_writing: bool,
    /// Lines that were dropped and not mentioned yet.
    unsaid: u64,
    /// Lines that were dropped since the start.
    dropped: u64,
    /// Whether the last line could not be written. A line about it is written only with the next one, because
    /// it would fail as well.
    has_failed: bool,
}

/// A line that waits.
struct Waiting {
    text: String,
    /// The number of the dropped lines that it mentions, if it does.
    mentions: Option<u64>,
}

impl State {
    fn add(&mut self, text: String, mentions: Option<u64>) {
        self.bytes += text.len() + OVERHEAD;
        self.lines.push_back(Waiting { text, mentions });
    }

    fn next(&mut self) -> Option<Waiting> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.text.len() + OVERHEAD;
        Some(line)
    }

    /// Counts a line that could not be written.
    fn lose(&mut self, line: &Waiting) {
        self.unsaid += line.mentions.unwrap_or(1);
        self.dropped += u64::from(line.mentions.is_none());
    }

    fn is_idle(&self) -> bool {
        self.lines.is_empty() && !self.is_writing
    }
}

impl Queue {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// Returns an error if the system allows no further thread.
    pub(super) fn start(
        sink: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let queue = Self(Arc::new(Shared {
            state: Mutex::default(),
            queued: Condvar::new(),
            idle: Condvar::new(),
            notice: Box::new(notice),
        }));
        let lines = queue.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || lines.write(sink))?;
        Ok(queue)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, or drops it if too much waits. Returns at once.
    pub(super) fn push(&self, level: Level, line: String) {
        let room = match level {
            Level::Error => ROOM + RESERVE,
            Level::Warn | Level::Info | Level::Debug | Level::Trace => ROOM,
        };
        let mut state = self.state();
        if state.bytes + line.len() + OVERHEAD > room {
            state.unsaid += 1;
            state.dropped += 1;
            return;
        }
        self.mention_dropped(&mut state);
        state.add(line, None);
        drop(state);
        self.0.queued.notify_one();
    }

    /// Queues the line that says how many were dropped, in their place.
    fn mention_dropped(&self, state: &mut State) {
        let unsaid = std::mem::take(&mut state.unsaid);
        if unsaid > 0 {
            state.add((self.0.notice)(unsaid), Some(unsaid));
        }
    }

    /// Returns how many lines were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Waits until everything is written, at most so long.
    pub(super) fn flush(&self, limit: Duration) {
        let state = self.state();
        // Lines that are not written in time are lost: their reader does not read.
        drop(
            self.0
                .idle
                .wait_timeout_while(state, limit, |state| !state.is_idle()),
        );
    }

    /// Writes lines as long as the process lives.
    fn write(&self, mut sink: impl Write) {
        let mut state = self.state();
        loop {
            let Some(line) = state.next() else {
                if state.unsaid > 0 && !state.has_failed {
                    self.mention_dropped(&mut state);
                    continue;
                }
                self.0.idle.notify_all();
                let waited = self.0.queued.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.is_writing = true;
            drop(state);
            let written = sink.write_all(line.text.as_bytes());
            state = self.state();
            state.is_writing = false;
            // A closed pipe or a full disk: the next line may get through again.
            state.has_failed = written.is_err();
            if state.has_failed {
                state.lose(&line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A pipe: what is written waits until it is read.
    struct Pipe {
        begun: Sender<()>,
        permits: Receiver<()>,
        read: Sender<String>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(());
            self.permits
                .recv()
                .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let _ = self.read.send(text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Reader {
        begun: Receiver<()>,
        permits: Sender<()>,
        read: Receiver<String>,
    }

    impl Reader {
        fn next(&self) -> String {
            self.permits.send(()).unwrap();
            self.read.recv_timeout(Duration::from_secs(60)).unwrap()
        }
    }

    /// A queue whose writer waits for its reader, with so many lines behind the one that it writes.
    fn full(lines: usize) -> (Queue, Reader) {
        let (queue, reader) = queue();
        queue.push(Level::Info, "first".to_owned());
        reader.begun.recv().unwrap();
        for number in 0..lines {
            queue.push(Level::Info, thousand_bytes(number));
        }
        (queue, reader)
    }

    fn queue() -> (Queue, Reader) {
        let ((permits, granted), (write, read)) = (channel(), channel());
        let (begin, begun) = channel();
        let pipe = Pipe {
            begun: begin,
            permits: granted,
            read: write,
        };
        let queue = Queue::start(pipe, |lines| format!("{lines} dropped")).unwrap();
        let reader = Reader {
            begun,
            permits,
            read,
        };
        (queue, reader)
    }

    fn thousand_bytes(number: usize) -> String {
        format!("{number:0>1000}")
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let (queue, reader) = queue();
        for line in ["a", "b", "c"] {
            queue.push(Level::Info, line.to_owned());
        }
        assert_eq!(
            [reader.next(), reader.next(), reader.next()],
            ["a", "b", "c"]
        );
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn lines_that_nothing_reads_are_dropped_and_counted_in_their_place() {
        let (queue, reader) = full(3_000);
        let dropped = queue.dropped();
        let kept = 3_000 - usize::try_from(dropped).unwrap();
        assert_eq!(kept, ROOM / (1_000 + OVERHEAD));
        assert_eq!(reader.next(), "first");
        for number in 0..kept {
            assert_eq!(reader.next(), thousand_bytes(number));
        }
        assert_eq!(reader.next(), format!("{dropped} dropped"));
        queue.push(Level::Info, "later".to_owned());
        assert_eq!(reader.next(), "later");
    }

    #[test]
    fn the_number_of_the_dropped_lines_stands_before_the_next_line() {
        let (queue, reader) = full(2_000);
        let dropped = queue.dropped();
        assert_eq!(reader.next(), "first");
        for number in 0..10 {
            assert_eq!(reader.next(), thousand_bytes(number));
        }
        let kept = 2_000 - usize::try_from(dropped).unwrap();
        queue.push(Level::Info, "next".to_owned());
        for number in 10..kept {
            assert_eq!(reader.next(), thousand_bytes(number));
        }
        assert_eq!(reader.next(), format!("{dropped} dropped"));
        assert_eq!(reader.next(), "next");
    }

    #[test]
    fn an_error_finds_room_when_other_lines_do_not() {
        let (queue, reader) = full(2_000);
        let dropped = queue.dropped();
        queue.push(Level::Error, "the reason".to_owned());
        assert_eq!(queue.dropped(), dropped);
        let mut last = reader.next();
        while last != "the reason" {
            last = reader.next();
        }
    }

    #[test]
    fn a_flush_ends_when_all_is_written_or_its_time_is_over() {
        let (queue, reader) = queue();
        queue.push(Level::Info, "stuck".to_owned());
        queue.flush(Duration::from_millis(10));
        for _ in 0..2 {
            reader.permits.send(()).unwrap();
        }
        queue.push(Level::Info, "last".to_owned());
        queue.flush(Duration::from_secs(60));
        let read: Vec<String> = reader.read.try_iter().collect();
        assert_eq!(read, ["stuck", "last"]);
    }

    #[test]
    fn a_sink_that_fails_counts_its_lines_and_ends_nothing() {
        let (queue, reader) = queue();
        drop(reader);
        queue.push(Level::Info, "lost".to_owned());
        queue.push(Level::Info, "lost, too".to_owned());
        queue.flush(Duration::from_secs(60));
        assert_eq!(queue.dropped(), 2);
    }

    /// A disk that is full until it is told otherwise.
    struct Disk {
        verdicts: Receiver<bool>,
        written: Sender<String>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.verdicts.recv().unwrap_or(false) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let _ = self
                .written
                .send(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_lost_to_an_error_are_mentioned_before_the_next_that_gets_through() {
        let ((verdict, verdicts), (write, written)) = (channel(), channel());
        let disk = Disk {
            verdicts,
            written: write,
        };
        let queue = Queue::start(disk, |lines| format!("{lines} dropped")).unwrap();
        // The second line fails, and the line about the first one before it.
        for (line, failures) in [("first", 1), ("second", 2)] {
            queue.push(Level::Info, line.to_owned());
            for _ in 0..failures {
                verdict.send(false).unwrap();
            }
            queue.flush(Duration::from_secs(60));
        }
        assert_eq!(queue.dropped(), 2);
        for _ in 0..2 {
            verdict.send(true).unwrap();
        }
        queue.push(Level::Info, "third".to_owned());
        queue.flush(Duration::from_secs(60));
        let written: Vec<String> = written.try_iter().collect();
        assert_eq!(written, ["2 dropped", "third"]);
        assert_eq!(queue.dropped(), 2);
    }
}
